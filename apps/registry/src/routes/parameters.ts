import type { FastifyRequest } from 'fastify';
import { whyNotName, whyNotRange, whyNotVersion } from '../names.ts';
import { Problem } from '../problem.ts';

/** Quotes a value for a message: truncated, with control characters escaped. */
function shown(value: string): string {
  return JSON.stringify(value.length > 80 ? `${value.slice(0, 80)}…` : value);
}

export function nameParameter(request: FastifyRequest): string {
  const { name } = request.params as { name: string };
  const why = whyNotName(name);
  if (why !== undefined) throw new Problem('invalid-name', `The name ${shown(name)} ${why}.`);
  return name;
}

export function versionParameter(request: FastifyRequest): string {
  const { version } = request.params as { version: string };
  const why = whyNotVersion(version);
  if (why !== undefined) {
    throw new Problem('invalid-version', `The version ${shown(version)} ${why}.`);
  }
  return version;
}

/** A query parameter that must not be repeated. */
export function textQuery(request: FastifyRequest, key: string): string | undefined {
  const value = (request.query as Record<string, string | string[] | undefined>)[key];
  if (Array.isArray(value)) {
    throw new Problem('bad-request', `The query parameter ${key} is given more than once.`);
  }
  return value;
}

export function integerQuery(
  request: FastifyRequest,
  key: string,
  fallback: number,
  max: number,
): number {
  const text = textQuery(request, key);
  if (text === undefined) return fallback;
  const value = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN;
  if (!(value >= 1 && value <= max)) {
    throw new Problem(
      'bad-request',
      `The query parameter ${key} must be an integer from 1 to ${max}, not ${shown(text)}.`,
    );
  }
  return value;
}

/** The range to resolve; `*` by default. */
export function rangeQuery(request: FastifyRequest): string {
  const range = textQuery(request, 'range') ?? '*';
  const why = whyNotRange(range);
  if (why !== undefined) throw new Problem('invalid-range', `The range ${shown(range)} ${why}.`);
  return range;
}
