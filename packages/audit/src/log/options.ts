import {
  type Clock,
  checkKnown,
  checkName,
  checkNumber,
  checkOneOf,
  checkType,
  show,
  systemClock,
} from '@temper/core';
import type { CheckpointBody } from '../chain/checkpoint.ts';
import type { NoteSigner } from '../chain/signing-key.ts';
import type { AuditSink } from '../sinks/sink.ts';
import type { AuditLimits } from './intake/details.ts';
import { type RedactionOptions, Redactor } from './intake/redaction.ts';
import { checkRule, type SinkRule } from './sink-rule.ts';

/** Signed checkpoints: what makes a rewritten or truncated log show. */
export interface CheckpointOptions {
  /** Who signs: a key, or several. */
  readonly signer: NoteSigner | readonly NoteSigner[];
  /**
   * Names the log in its checkpoints; no other log may use it.
   *
   * @defaultValue the name of the (first) signer
   */
  readonly origin?: string;
  /**
   * Sign when so many events have become durable since the last checkpoint.
   *
   * @defaultValue 1_000
   * @throws {RangeError} at construction, unless an integer >= 1
   */
  readonly everyEvents?: number;
  /**
   * Sign when the oldest event that no checkpoint covers is this old, in milliseconds.
   *
   * @defaultValue 60_000
   * @throws {RangeError} at construction, unless >= 1 (`Infinity` allowed)
   */
  readonly everyMs?: number;
  /**
   * Called with every new checkpoint, to keep it where whoever can write the log cannot. What it
   * throws is reported, and does not harm the log.
   */
  readonly publish?: (note: string, checkpoint: CheckpointBody) => unknown;
}

/** Options of {@link auditLog}. */
export interface AuditLogOptions {
  /**
   * Names the log in errors, metrics and its own events.
   *
   * @defaultValue 'audit'
   */
  readonly name?: string;
  /**
   * Where events go: one to eight sinks. Queries read the first one that can be read.
   *
   * @defaultValue `[sqliteSink({ path: '<name>.db' })]`
   */
  readonly sinks?: readonly AuditSink[];
  /**
   * How many of the durable sinks must have stored an event before it counts as stored: `all`,
   * `any` (one), or a quorum. Sinks that are not durable count only when there is no other kind.
   *
   * @defaultValue 'all'
   */
  readonly rule?: SinkRule;
  /**
   * What happens to an event when the rule cannot be met. `refuse`: `append` rejects with
   * {@link AuditUnavailableError}, so that what was to be audited does not go on. `degrade`: it goes
   * on; the event is held in memory, counted, and the log says so once it can.
   *
   * @defaultValue 'refuse'
   */
  readonly whenUnavailable?: 'refuse' | 'degrade';
  /**
   * Most events of `record` that wait to become durable. Further ones are dropped and counted, and
   * the log says how many once it can.
   *
   * @defaultValue 10_000
   * @throws {RangeError} at construction, unless an integer >= 1
   */
  readonly queueLimit?: number;
  /**
   * Most events held in memory for a sink that cannot take them. A sink that lags further behind is
   * brought up from another one; what `degrade` cannot hold is dropped and counted.
   *
   * @defaultValue 10_000
   * @throws {RangeError} at construction, unless an integer >= 1
   */
  readonly holdLimit?: number;
  /**
   * Longest time that a sink may take over one batch before it counts as failed, in milliseconds.
   * The write is not interrupted; when it ends well after all, the sink is back.
   *
   * @defaultValue 10_000
   * @throws {RangeError} at construction, unless >= 1 (`Infinity` allowed)
   */
  readonly sinkTimeoutMs?: number;
  /**
   * Shortest time between two tries of a sink that has failed, in milliseconds.
   *
   * @defaultValue 250
   * @throws {RangeError} at construction, unless >= 0
   */
  readonly sinkRetryMs?: number;
  /** Bounds on one event. */
  readonly limits?: AuditLimits;
  /** What must not be written down. @defaultValue {@link defaultRedactionRules}, without a key */
  readonly redaction?: RedactionOptions;
  /** Signed checkpoints. @defaultValue none */
  readonly checkpoints?: CheckpointOptions;
  /** @defaultValue the machine's clock */
  readonly clock?: Clock;
}

/** The defaults of {@link AuditLimits}. */
export const DEFAULT_LIMITS: Required<AuditLimits> = {
  maxBytes: 16_384,
  maxStringLength: 2_048,
  maxEntries: 100,
  maxDepth: 8,
};

/** The defaults, as the README's table shows them. */
export const AUDIT_DEFAULTS: {
  readonly name: 'audit';
  readonly rule: 'all';
  readonly whenUnavailable: 'refuse';
  readonly queueLimit: 10_000;
  readonly holdLimit: 10_000;
  readonly sinkTimeoutMs: 10_000;
  readonly sinkRetryMs: 250;
} = {
  name: 'audit',
  rule: 'all',
  whenUnavailable: 'refuse',
  queueLimit: 10_000,
  holdLimit: 10_000,
  sinkTimeoutMs: 10_000,
  sinkRetryMs: 250,
};

/** The defaults of {@link CheckpointOptions}, as the README's table shows them. */
export const CHECKPOINT_DEFAULTS: { readonly everyEvents: 1_000; readonly everyMs: 60_000 } = {
  everyEvents: 1_000,
  everyMs: 60_000,
};

/** {@link CheckpointOptions}, checked and complete. */
export interface ResolvedCheckpointOptions {
  readonly signers: readonly NoteSigner[];
  readonly origin: string;
  readonly everyEvents: number;
  readonly everyMs: number;
  readonly publish: CheckpointOptions['publish'];
}

/** {@link AuditLogOptions}, checked and complete but for the sinks. */
export interface ResolvedAuditOptions
  extends Required<Omit<AuditLogOptions, 'sinks' | 'redaction' | 'checkpoints' | 'limits'>> {
  readonly sinks: readonly AuditSink[] | undefined;
  readonly limits: Required<AuditLimits>;
  readonly redactor: Redactor;
  readonly checkpoints: ResolvedCheckpointOptions | undefined;
}

const OWNER = 'auditLog';
const MAX_SINKS = 8;

/** Holds the options to their ranges and fills in the defaults. */
export function resolveAuditOptions(options: AuditLogOptions): ResolvedAuditOptions {
  checkKnown(OWNER, options, [
    ...Object.keys(AUDIT_DEFAULTS),
    'sinks',
    'limits',
    'redaction',
    'checkpoints',
    'clock',
  ]);
  const given = Object.fromEntries(
    Object.entries(options).filter(([, value]) => value !== undefined),
  ) as AuditLogOptions;
  const { sinks, limits, redaction, checkpoints, ...all } = {
    ...AUDIT_DEFAULTS,
    clock: systemClock,
    ...given,
  };
  checkName(OWNER, all.name);
  checkSinks(sinks);
  checkRule(OWNER, all.rule, sinks);
  checkOneOf(OWNER, 'whenUnavailable', all.whenUnavailable, ['refuse', 'degrade']);
  checkNumber(OWNER, 'queueLimit', all.queueLimit, { min: 1, integer: true, infinite: false });
  checkNumber(OWNER, 'holdLimit', all.holdLimit, { min: 1, integer: true, infinite: false });
  checkNumber(OWNER, 'sinkTimeoutMs', all.sinkTimeoutMs, { min: 1 });
  checkNumber(OWNER, 'sinkRetryMs', all.sinkRetryMs, { min: 0, infinite: false });
  return {
    ...all,
    sinks,
    limits: resolveLimits(limits),
    redactor: new Redactor(redaction),
    checkpoints: checkpoints === undefined ? undefined : resolveCheckpoints(checkpoints),
  };
}

function checkSinks(sinks: unknown): void {
  if (sinks === undefined) return;
  if (!Array.isArray(sinks) || sinks.length < 1 || sinks.length > MAX_SINKS) {
    throw new TypeError(
      `${OWNER}: sinks must be an array of 1 to ${MAX_SINKS}, got ${show(sinks)}.`,
    );
  }
  const names = (sinks as readonly AuditSink[]).map(({ name }) => name);
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  if (twice !== undefined) {
    throw new TypeError(`${OWNER}: two sinks are named '${twice}'; give them names of their own.`);
  }
}

function resolveLimits(limits: AuditLimits = {}): Required<AuditLimits> {
  checkKnown(`${OWNER}: limits`, limits, Object.keys(DEFAULT_LIMITS));
  const all = { ...DEFAULT_LIMITS, ...limits };
  const check = (option: keyof AuditLimits, min: number, max: number): number =>
    checkNumber(OWNER, `limits.${option}`, all[option], { min, max, integer: true });
  return {
    maxBytes: check('maxBytes', 256, 1_048_576),
    maxStringLength: check('maxStringLength', 16, 65_536),
    maxEntries: check('maxEntries', 1, 10_000),
    maxDepth: check('maxDepth', 1, 32),
  };
}

function resolveCheckpoints(options: CheckpointOptions): ResolvedCheckpointOptions {
  const owner = `${OWNER}: checkpoints`;
  checkKnown(owner, options, ['signer', 'origin', 'everyEvents', 'everyMs', 'publish']);
  const { signer, publish } = options;
  const signers: readonly NoteSigner[] = Array.isArray(signer) ? signer : [signer];
  const [first] = signers;
  if (first === undefined || typeof first?.sign !== 'function') {
    throw new TypeError(`${owner}: signer must be a signer or several, got ${show(signer)}.`);
  }
  const origin = checkName(owner, options.origin ?? first.name);
  if (origin.includes('\n')) throw new TypeError(`${owner}: origin must be one line.`);
  if (publish !== undefined) checkType(owner, 'publish', publish, 'function');
  const all = { ...CHECKPOINT_DEFAULTS, ...options };
  return {
    signers,
    origin,
    everyEvents: checkNumber(owner, 'everyEvents', all.everyEvents, { min: 1, integer: true }),
    everyMs: checkNumber(owner, 'everyMs', all.everyMs, { min: 1 }),
    publish,
  };
}
