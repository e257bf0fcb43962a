import type { PolicyDescription } from '@temper/core/policy';

/** A policy of a pipeline, as it describes itself. Nested pipelines are flattened. */
interface Layer {
  readonly policy: object;
  readonly name: string;
  readonly description: PolicyDescription;
}

/** Kinds that neither wait nor repeat: two timeouts around one of them measure the same time. */
const INERT: ReadonlySet<string> = new Set(['timeout', 'breaker']);

/**
 * Finds orders that can never work. Only certain mistakes count: an unusual order passes, and so does
 * a policy that does not describe itself.
 *
 * @param policies - outermost first
 * @returns one sentence for each mistake
 */
export function orderProblems(policies: readonly object[]): string[] {
  const layers: Layer[] = [];
  for (const policy of policies) addLayers(layers, policy, NONE);
  return [...twice(layers), ...pairs(layers).flatMap(([a, b, between]) => clash(a, b, between))];
}

/** How deep policies may be nested before their parts are no longer looked at. */
const MAX_DEPTH = 64;

const NONE: readonly object[] = [];

/** @param around - the policies that `policy` is part of */
function addLayers(layers: Layer[], policy: object, around: readonly object[]): void {
  // A composite of another library may name itself as its part, directly or not.
  if (around.includes(policy) || around.length > MAX_DEPTH) {
    layers.push(unknownLayer());
    return;
  }
  const description = descriptionOf(policy);
  if (description.parts === undefined) {
    layers.push({ policy, name: nameOf(policy) ?? description.kind, description });
    return;
  }
  const within = [...around, policy];
  for (const part of description.parts) addLayers(layers, part, within);
}

/** Each is an object of its own, so that it does not count as a policy that occurs twice. */
function unknownLayer(): Layer {
  return { policy: {}, name: UNKNOWN.kind, description: UNKNOWN };
}

/** The name of a policy, when it has one. */
export function nameOf(policy: object): string | undefined {
  try {
    const { name } = policy as { name?: unknown };
    return typeof name === 'string' ? name : undefined;
  } catch {
    return undefined;
  }
}

/**
 * A policy's description of itself. That of another library may have a `describe` of another meaning:
 * what it returns or throws must not make a pipeline fail.
 */
export function descriptionOf(policy: object): PolicyDescription {
  try {
    const { describe } = policy as { describe?: () => unknown };
    const description = typeof describe === 'function' ? describe.call(policy) : undefined;
    return isDescription(description) ? { ...description } : UNKNOWN;
  } catch {
    return UNKNOWN;
  }
}

const UNKNOWN: PolicyDescription = { kind: 'policy' };

const FLAGS = ['repeats', 'sharesRuns'] as const;
const TIMES = [
  'timeoutMs',
  'attemptTimeoutMs',
  'maxTimeoutMs',
  'reserveMs',
  'maxReserveMs',
  'firstDelayMs',
] as const;

function isDescription(value: unknown): value is PolicyDescription {
  if (!isObject(value)) return false;
  const description: { readonly [K in keyof PolicyDescription]?: unknown } = value;
  const { kind, parts } = description;
  for (const flag of FLAGS) if (!isOptional(description[flag], 'boolean')) return false;
  for (const time of TIMES) if (!isOptional(description[time], 'number')) return false;
  if (parts !== undefined && !(Array.isArray(parts) && parts.every(isObject))) return false;
  return typeof kind === 'string';
}

function isOptional(value: unknown, type: 'boolean' | 'number'): boolean {
  return value === undefined || typeof value === type;
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}

function twice(layers: readonly Layer[]): string[] {
  const seen = new Set(layers.map(({ policy }) => policy));
  if (seen.size === layers.length) return [];
  const repeated = new Set<string>();
  for (const { policy, name } of layers) if (!seen.delete(policy)) repeated.add(name);
  return [...repeated].map((name) => `'${name}' occurs twice, and would count each call twice.`);
}

type Pair = readonly [outer: Layer, inner: Layer, between: readonly Layer[]];

/** Every policy with a timeout, and each of those inside it. */
function pairs(layers: readonly Layer[]): Pair[] {
  const found: Pair[] = [];
  for (const [i, outer] of layers.entries()) {
    if (longest(outer) === undefined) continue;
    const inside = layers.slice(i + 1);
    for (const [j, inner] of inside.entries()) found.push([outer, inner, inside.slice(0, j)]);
  }
  return found;
}

function longest({ description }: Layer): number | undefined {
  return description.timeoutMs ?? description.attemptTimeoutMs ?? description.maxTimeoutMs;
}

function clash(outer: Layer, inner: Layer, between: readonly Layer[]): string[] {
  const { timeoutMs, attemptTimeoutMs } = outer.description;
  const fixed = timeoutMs ?? attemptTimeoutMs;
  const whole = longest(outer);
  // What is shared by several calls may outlast each of them.
  const isShared = between.some(({ description }) => description.sharesRuns === true);
  if (whole === undefined || isShared) return [];
  const kept = between.filter(({ description }) => (description.reserveMs ?? 0) > 0);
  const limit = kept.reduce((rest, { description }) => rest - (description.reserveMs ?? 0), whole);
  const after = fixed === undefined ? `at most ${whole} ms` : `${whole} ms`;
  const keeping = kept.map(
    ({ name, description }) => `, ${description.reserveMs} ms of them for '${name}'`,
  );
  const within = `'${inner.name}' is inside '${outer.name}', which times out after ${after}${keeping.join('')}`;
  const { firstDelayMs, repeats, reserveMs, maxReserveMs } = inner.description;
  const reserve = reserveMs ?? maxReserveMs;
  if (reserve !== undefined && reserve >= limit) {
    const when = reserveMs === undefined ? ' while it has an answer' : '';
    return [
      `${within}: it keeps ${reserve} ms for an answer of its own, so the operation is never called${when}.`,
    ];
  }
  if (repeats === true && firstDelayMs !== undefined && firstDelayMs >= limit) {
    return [`${within}: its first delay is ${firstDelayMs} ms, so it can never retry.`];
  }
  const problems: string[] = [];
  for (const own of [inner.description.timeoutMs, inner.description.attemptTimeoutMs]) {
    if (own !== undefined && own >= limit) {
      problems.push(`${within}: its own timeout of ${own} ms can never expire.`);
    }
  }
  if (problems.length > 0) return problems;
  const sideBySide = between.every(({ description }) => INERT.has(description.kind));
  if (fixed !== undefined && inner.description.timeoutMs !== undefined && sideBySide) {
    return [
      `${within}: nothing between them waits or retries, so only '${inner.name}' can ever time out.`,
    ];
  }
  return [];
}
