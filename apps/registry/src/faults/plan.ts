import type { Flaw } from '../manifest.ts';

/** To which requests a fault happens. Without a member: to all of them. */
export interface FaultScope {
  /** Chance that a request in scope is hit, 0 to 1. @defaultValue 1 */
  readonly probability?: number;
  /** Route patterns as they stand in the README, such as `/packages/:name/:version/download`. */
  readonly routes?: readonly string[];
  /** Methods, in capitals. */
  readonly methods?: readonly string[];
}

/** After how many milliseconds a fault heals by itself, 1 to 3 600 000; without it, never. */
export interface FaultLifetime {
  readonly durationMs?: number;
}

/** Every answer comes late: by `latencyMs` (0 to 60 000) and up to `jitterMs` more. */
export interface LatencyFault extends FaultScope, FaultLifetime {
  readonly kind: 'latency';
  readonly latencyMs: number;
  readonly jitterMs?: number;
}

/** The answer is an error, with `Retry-After` as seconds or as an HTTP date when it is stated. */
export interface ErrorFault extends FaultScope, FaultLifetime {
  readonly kind: 'error';
  readonly status: 429 | 500 | 502 | 503 | 504;
  readonly retryAfterSeconds?: number;
  /** @defaultValue 'seconds' */
  readonly retryAfterFormat?: 'seconds' | 'date';
}

/** Nobody listens on the port: connections are refused by the operating system. */
export interface RefuseFault extends FaultLifetime {
  readonly kind: 'refuse';
}

/** No answer comes, or its body stops half-way and the connection stays open. */
export interface HangFault extends FaultScope, FaultLifetime {
  readonly kind: 'hang';
  /** @defaultValue 'headers' */
  readonly at?: 'headers' | 'body';
}

/** The body ends before its length says so. */
export interface CutFault extends FaultScope, FaultLifetime {
  readonly kind: 'cut';
  /**
   * `destroy` breaks the connection, `short` closes it politely with bytes missing.
   *
   * @defaultValue 'destroy'
   */
  readonly mode?: 'destroy' | 'short';
  /** Share of the body that is still sent, 0 to below 1. @defaultValue 0.5 */
  readonly fraction?: number;
}

/** The body has its length, and one wrong byte in its middle: only a checksum can tell. */
export interface CorruptFault extends FaultScope, FaultLifetime {
  readonly kind: 'corrupt';
}

export type Fault = LatencyFault | ErrorFault | RefuseFault | HangFault | CutFault | CorruptFault;
export type FaultKind = Fault['kind'];
/** A fault that decides a request alone, as opposed to delaying it or closing the port. */
export type TerminalFault = ErrorFault | HangFault | CutFault | CorruptFault;

/** What `PUT /faults` takes. It replaces whatever was switched on. */
export interface FaultPlan {
  /** Later faults apply where earlier ones did not hit; latencies add up. */
  readonly faults: readonly Fault[];
  /** Makes the chances repeatable. */
  readonly seed?: number;
}

/** What `GET /faults` answers. */
export interface FaultStatus {
  /** Whether the port accepts connections now. */
  readonly listening: boolean;
  readonly seed?: number;
  readonly faults: readonly (Fault & {
    /** How many requests it has hit. */
    readonly hits: number;
    /** How long it still lasts; null is until it is switched off. */
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

/** Reads and checks a plan; `routes` are the patterns that a fault may name. */
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
    flaws.push({ field: `.${required}`, message: 'must be stated' });
  }
  for (const [field, given] of Object.entries(fault)) {
    if (field === 'kind' || given === undefined) continue;
    const check = Object.hasOwn(FIELDS[kind], field) ? FIELDS[kind][field] : undefined;
    const why = check === undefined ? `is no member of a ${kind} fault` : check(given);
    if (why !== undefined) flaws.push({ field: `.${field}`, message: why });
    else if (field === 'routes') {
      const unknown = (given as string[]).filter((route) => !routes.includes(route));
      if (unknown.length > 0) {
        flaws.push({
          field: '.routes',
          message: `has ${unknown.join(', ')}; known are ${routes.join(', ')}`,
        });
      }
    }
  }
  return flaws;
}
