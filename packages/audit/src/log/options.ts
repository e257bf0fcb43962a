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

/** Options of signed checkpoints, which reveal a rewritten or truncated log. */
export interface CheckpointOptions {
  /** One or several signers. */
  readonly signer: NoteSigner | readonly NoteSigner[];
  /**
   * Identifies the log in its checkpoints. Must be unique per log.
   *
   * @defaultValue the name of the (first) signer
   */
  readonly origin?: string;
  /**
   * Number of durable events after which a checkpoint is signed.
   *
   * @defaultValue 1_000
   * @throws {RangeError} at construction, unless an integer >= 1
   */
  readonly everyEvents?: number;
  /**
   * Age of the oldest event without a checkpoint at which a checkpoint is signed, in milliseconds.
   *
   * @defaultValue 60_000
   * @throws {RangeError} at construction, unless >= 1 (`Infinity` allowed)
   */
  readonly everyMs?: number;
  /**
   * Called with every new checkpoint. Use it to copy checkpoints to a place that the log's writer
   * cannot modify. An error thrown by the callback is logged and does not affect the log.
   */
  readonly publish?: (note: string, checkpoint: CheckpointBody) => unknown;
}

/** Options of {@link auditLog}. */
export interface AuditLogOptions {
  /**
   * Name of the log in errors, metrics and its own events.
   *
   * @defaultValue 'audit'
   */
  readonly name?: string;
  /**
   * One to eight sinks that store the events. Queries read the first sink that can be read.
   *
   * @defaultValue `[sqliteSink({ path: '<name>.db' })]`
   */
  readonly sinks?: readonly AuditSink[];
  /**
   * Number of durable sinks that must have stored an event before it counts as stored: `all`, `any`
   * (one), or a quorum. Sinks that are not durable count only if no sink is durable.
   *
   * @defaultValue 'all'
   */
  readonly rule?: SinkRule;
  /**
   * Behaviour when the rule cannot be met. `refuse`: `append` rejects with
   * {@link AuditUnavailableError}, so that no operation runs without an audit event. `degrade`:
   * `append` resolves, the event is held in memory and counted, and the log records the outage when
   * it can store events again.
   *
   * @defaultValue 'refuse'
   */
  readonly whenUnavailable?: 'refuse' | 'degrade';
  /**
   * Maximum number of pending events of `record`. Further events are dropped and counted, and the
   * log records how many.
   *
   * @defaultValue 10_000
   * @throws {RangeError} at construction, unless an integer >= 1
   */
  readonly queueLimit?: number;
  /**
   * Maximum number of events held in memory for a sink that cannot store them. A sink that lags
   * further behind catches up from another sink; with `degrade`, further events are dropped and
   * counted.
   *
   * @defaultValue 10_000
   * @throws {RangeError} at construction, unless an integer >= 1
   */
  readonly holdLimit?: number;
  /**
   * Longest duration of one write before the sink counts as failed, in milliseconds. The write is
   * not interrupted; if it succeeds later, the sink is ready again.
   *
   * @defaultValue 10_000
   * @throws {RangeError} at construction, unless >= 1 (`Infinity` allowed)
   */
  readonly sinkTimeoutMs?: number;
  /**
   * Shortest time between two attempts to use a failed sink, in milliseconds.
   *
   * @defaultValue 250
   * @throws {RangeError} at construction, unless >= 0
   */
  readonly sinkRetryMs?: number;
  /** Size limits of one event. */
  readonly limits?: AuditLimits;
  /** Values to drop, mask or hash. @defaultValue {@link defaultRedactionRules}, without a key */
  readonly redaction?: RedactionOptions;
  /** Signed checkpoints. @defaultValue none */
  readonly checkpoints?: CheckpointOptions;
  /** @defaultValue the system clock */
  readonly clock?: Clock;
}

/** Defaults of {@link AuditLimits}. */
export const DEFAULT_LIMITS: Required<AuditLimits> = {
  maxBytes: 16_384,
  maxStringLength: 2_048,
  maxEntries: 100,
  maxDepth: 8,
};

/** Defaults of {@link AuditLogOptions}. */
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

/** Defaults of {@link CheckpointOptions}. */
export const CHECKPOINT_DEFAULTS: { readonly everyEvents: 1_000; readonly everyMs: 60_000 } = {
  everyEvents: 1_000,
  everyMs: 60_000,
};

/** Validated {@link CheckpointOptions} with defaults applied. */
export interface ResolvedCheckpointOptions {
  readonly signers: readonly NoteSigner[];
  readonly origin: string;
  readonly everyEvents: number;
  readonly everyMs: number;
  readonly publish: CheckpointOptions['publish'];
}

/** Validated {@link AuditLogOptions} with defaults applied, except for the sinks. */
export interface ResolvedAuditOptions
  extends Required<Omit<AuditLogOptions, 'sinks' | 'redaction' | 'checkpoints' | 'limits'>> {
  readonly sinks: readonly AuditSink[] | undefined;
  readonly limits: Required<AuditLimits>;
  readonly redactor: Redactor;
  readonly checkpoints: ResolvedCheckpointOptions | undefined;
}

const OWNER = 'auditLog';
const MAX_SINKS = 8;

/** Validates the options and applies the defaults. */
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
    throw new TypeError(`${OWNER}: two sinks are named '${twice}'; give each sink a unique name.`);
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
