import type { Flaw } from '../manifest.ts';

/** The requests that a fault applies to. An omitted member does not restrict it. */
interface FaultScope {
  /** Probability that a request in scope is hit, 0 to 1. @defaultValue 1 */
  readonly probability?: number;
  /** Route patterns from the README, such as `/packages/:name/:version/download`. */
  readonly routes?: readonly string[];
  /** HTTP methods, upper case. */
  readonly methods?: readonly string[];
}

/** Duration after which the fault ends, in milliseconds, 1 to 3 600 000. @defaultValue unlimited */
interface FaultLifetime {
  readonly durationMs?: number;
}

/** Delays every response by `latencyMs` (0 to 60 000) and up to `jitterMs` more. */
export interface LatencyFault extends FaultScope, FaultLifetime {
  readonly kind: 'latency';
  readonly latencyMs: number;
  readonly jitterMs?: number;
}

/** Responds with an error, and with `Retry-After` in seconds or as an HTTP date if specified. */
export interface ErrorFault extends FaultScope, FaultLifetime {
  readonly kind: 'error';
  readonly status: 429 | 500 | 502 | 503 | 504;
  readonly retryAfterSeconds?: number;
  /** @defaultValue 'seconds' */
  readonly retryAfterFormat?: 'seconds' | 'date';
}

/** Closes the port: the operating system refuses connections. */
interface RefuseFault extends FaultLifetime {
  readonly kind: 'refuse';
}

/** Sends no response, or stalls half-way through the body with the connection open. */
interface HangFault extends FaultScope, FaultLifetime {
  readonly kind: 'hang';
  /** @defaultValue 'headers' */
  readonly at?: 'headers' | 'body';
}

/** Ends the body before its `Content-Length`. */
interface CutFault extends FaultScope, FaultLifetime {
  readonly kind: 'cut';
  /**
   * `destroy` breaks the connection; `short` closes it normally with bytes missing.
   *
   * @defaultValue 'destroy'
   */
  readonly mode?: 'destroy' | 'short';
  /** Fraction of the body that is sent, at least 0 and less than 1. @defaultValue 0.5 */
  readonly fraction?: number;
}

/** Corrupts one byte in the middle of the body and keeps its length: only a checksum detects it. */
interface CorruptFault extends FaultScope, FaultLifetime {
  readonly kind: 'corrupt';
}

export type Fault = LatencyFault | ErrorFault | RefuseFault | HangFault | CutFault | CorruptFault;
type FaultKind = Fault['kind'];
/** A fault that determines the response, as opposed to a delay or a closed port. */
export type TerminalFault = ErrorFault | HangFault | CutFault | CorruptFault;

/** The body of `PUT /faults`. It replaces the active plan. */
export interface FaultPlan {
  /** Later faults apply when earlier ones did not hit. Latencies add up. */
  readonly faults: readonly Fault[];
  /** Seed for repeatable random decisions. */
  readonly seed?: number;
}

/** The response of `GET /faults`. */
export interface FaultStatus {
  /** Whether the port accepts connections. */
  readonly listening: boolean;
  readonly seed?: number;
  readonly faults: readonly (Fault & {
    /** Number of requests it has hit. */
    readonly hits: number;
    /** Remaining time in milliseconds; null until it is cleared. */
    readonly remainingMs: number | null;
  })[];
}

type FaultPlanResult =
  | { readonly ok: true; readonly plan: FaultPlan }
  | { readonly ok: false; readonly flaws: readonly Flaw[] };

type Check = (value: unknown) => string | undefined;

const between =
  (low: number, high: number, integer = false): Check =>
  (value) =>
    typeof value === 'number' &&
    value >= low &&
    value <= high &&
    (!integer || Number.isInteger(value))
      ? undefined
      : `must be ${integer ? 'an integer' : 'a number'} from ${low} to ${high}`;
const oneOf =
  (...values: readonly unknown[]): Check =>
  (value) =>
    values.includes(value) ? undefined : `must be one of ${values.join(', ')}`;
const textList: Check = (value) =>
  Array.isArray(value) &&
  value.length > 0 &&
  value.length <= 32 &&
  value.every((item) => typeof item === 'string')
    ? undefined
    : 'must be a list of 1 to 32 strings';

const LIFETIME = { durationMs: between(1, 3_600_000) };
const SCOPE = {
  probability: between(0, 1),
  methods: textList,
  routes: textList,
  ...LIFETIME,
};
const FIELDS: Record<FaultKind, Record<string, Check>> = {
  latency: { latencyMs: between(0, 60_000), jitterMs: between(0, 60_000), ...SCOPE },
  error: {
    status: oneOf(429, 500, 502, 503, 504),
    retryAfterSeconds: between(0, 86_400, true),
    retryAfterFormat: oneOf('seconds', 'date'),
    ...SCOPE,
  },
  refuse: LIFETIME,
  hang: { at: oneOf('headers', 'body'), ...SCOPE },
  cut: { mode: oneOf('destroy', 'short'), fraction: between(0, 0.999_999), ...SCOPE },
  corrupt: SCOPE,
};
const REQUIRED: Partial<Record<FaultKind, string>> = { latency: 'latencyMs', error: 'status' };
const MAX_FAULTS = 32;

/** Validates a plan. `routes` are the allowed route patterns. */
export function parseFaultPlan(value: unknown, routes: readonly string[]): FaultPlanResult {
  const flaws: Flaw[] = [];
  const plan = value as { faults?: unknown; seed?: unknown } | null;
  if (typeof plan !== 'object' || plan === null || !Array.isArray(plan.faults)) {
    return { ok: false, flaws: [{ field: 'faults', message: 'must be a list of faults' }] };
  }
  if (plan.faults.length > MAX_FAULTS) {
    flaws.push({ field: 'faults', message: `must have at most ${MAX_FAULTS} entries` });
  }
  const whySeed = plan.seed === undefined ? undefined : between(0, 2 ** 32 - 1, true)(plan.seed);
  if (whySeed !== undefined) flaws.push({ field: 'seed', message: whySeed });
  for (const [index, fault] of plan.faults.slice(0, MAX_FAULTS).entries()) {
    for (const flaw of flawsOfFault(fault, routes)) {
      flaws.push({ field: `faults[${index}]${flaw.field}`, message: flaw.message });
    }
  }
  return flaws.length > 0 ? { ok: false, flaws } : { ok: true, plan: plan as FaultPlan };
}

function flawsOfFault(value: unknown, routes: readonly string[]): Flaw[] {
  if (typeof value !== 'object' || value === null) {
    return [{ field: '', message: 'must be an object' }];
  }
  const fault = value as Record<string, unknown>;
  const kinds = Object.keys(FIELDS);
  if (typeof fault.kind !== 'string' || !kinds.includes(fault.kind)) {
    return [{ field: '.kind', message: `must be one of ${kinds.join(', ')}` }];
  }
  const kind = fault.kind as FaultKind;
  const flaws: Flaw[] = [];
  const required = REQUIRED[kind];
  if (required !== undefined && fault[required] === undefined) {
    flaws.push({ field: `.${required}`, message: 'is required' });
  }
  for (const [field, given] of Object.entries(fault)) {
    if (field === 'kind' || given === undefined) continue;
    const check = Object.hasOwn(FIELDS[kind], field) ? FIELDS[kind][field] : undefined;
    const why = check === undefined ? `is not a member of a ${kind} fault` : check(given);
    if (why !== undefined) flaws.push({ field: `.${field}`, message: why });
    else if (field === 'routes') {
      const unknown = (given as string[]).filter((route) => !routes.includes(route));
      if (unknown.length > 0) {
        flaws.push({
          field: '.routes',
          message: `contains unknown routes ${unknown.join(', ')}; known routes are ${routes.join(', ')}`,
        });
      }
    }
  }
  return flaws;
}
