import { notify } from '@temper/core';
import type { HealthMonitor } from '../monitor.ts';
import type { HealthReport } from '../report.ts';
import { onListenerError } from '../telemetry.ts';
import { chooseMediaType } from './accept.ts';
import { healthJson } from './health-json.ts';
import type { ProbeKind, ResolvedHandlerOptions } from './options.ts';
import { statusWord, verboseText } from './plain-text.ts';

/** One request, as far as it matters here. */
export interface Question {
  readonly kind: ProbeKind;
  /** Path and query. */
  readonly url: URL;
  readonly method: string;
  readonly accept: string | null | undefined;
  readonly details: boolean;
}

/** What to answer. */
export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  /** Empty for HEAD. */
  readonly body: string;
}

const COMMON = {
  // A probe is about now.
  'cache-control': 'no-store',
  'x-content-type-options': 'nosniff',
} as const;

/** The question that a URL asks, if it asks one. */
export function routeOf<R>(
  options: ResolvedHandlerOptions<R>,
  target: string,
): { readonly kind: ProbeKind; readonly url: URL } | undefined {
  // The origin only makes a relative target parse. One that does not parse asks nothing.
  const url = URL.parse(target.startsWith('/') ? `http://probe${target}` : target);
  const kind = url === null ? undefined : options.routes.get(url.pathname);
  return url === null || kind === undefined ? undefined : { kind, url };
}

/** Whether this request may see details. */
export function detailsFor<R>(options: ResolvedHandlerOptions<R>, request: R): boolean {
  const { details } = options;
  if (typeof details !== 'function') return details === 'always';
  let allowed = false;
  notify(
    (asked: R) => {
      allowed = details(asked) === true;
    },
    request,
    onListenerError,
  );
  return allowed;
}

/** Asks the monitor, and writes down what it says. */
export async function answer(monitor: HealthMonitor, question: Question): Promise<Answer> {
  const { kind, url, method, details } = question;
  if (method !== 'GET' && method !== 'HEAD') {
    return { status: 405, headers: { ...COMMON, allow: 'GET, HEAD' }, body: '' };
  }
  const exclude = details
    ? url.searchParams.getAll('exclude').flatMap((names) => names.split(','))
    : [];
  const report = await monitor[kind]({ exclude });
  const mediaType = chooseMediaType(question.accept);
  const body =
    mediaType === 'text/plain' ? plainText(question, report, exclude) : json(report, details);
  return {
    // A degraded service still serves.
    status: report.status === 'unhealthy' ? 503 : 200,
    headers: {
      ...COMMON,
      'content-type': mediaType === 'text/plain' ? 'text/plain; charset=utf-8' : mediaType,
      'content-length': String(Buffer.byteLength(body)),
      vary: 'accept',
    },
    body: method === 'HEAD' ? '' : body,
  };
}

/** As the Kubernetes API server does, a failure that may be explained is explained unasked. */
function plainText(question: Question, report: HealthReport, exclude: readonly string[]): string {
  const { url, details } = question;
  const verbose = url.searchParams.has('verbose') || report.status === 'unhealthy';
  if (!details || !verbose) return statusWord(report);
  const unmatched = exclude.filter((name) => name !== '' && !report.excluded.includes(name));
  return verboseText(url.pathname.split('/').at(-1) as string, report, unmatched);
}

/** A check's details are anybody's: what JSON cannot hold must not take the probe down. */
function json(report: HealthReport, details: boolean): string {
  try {
    return `${JSON.stringify(healthJson(report, details), jsonSafe())}\n`;
  } catch (error) {
    onListenerError(error);
    return json(report, false);
  }
}

function jsonSafe(): (key: string, value: unknown) => unknown {
  const seen = new WeakSet<object>();
  return (_key, value) => {
    if (typeof value === 'bigint') return String(value);
    if (typeof value !== 'object' || value === null) return value;
    if (seen.has(value)) return '[seen above]';
    seen.add(value);
    return value;
  };
}
