import { type Clock, systemClock, type TelemetryScope } from '@temper/core';
import {
  checkName,
  checkType,
  clockRule,
  type Defaults,
  methodsRule,
  nameRule,
  numberRule,
  type OptionRule,
  oneOfRule,
  type Resolved,
  resolveOptions,
  show,
  telemetryRule,
  typeRule,
} from '@temper/core/policy';
import { type CheckpointBody, parseCheckpoint } from '../chain/checkpoint.ts';
import type { NoteSigner } from '../chain/signing-key.ts';
import type { AuditSink } from '../sinks/sink.ts';
import type { AuditLimits } from './intake/details.ts';
import { Redactor } from './intake/redaction.ts';
import type { RedactionOptions } from './intake/redaction-rules.ts';
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
   * Longest duration of one signature, in milliseconds. The checkpoint is then not signed, which is
   * logged, and tried again when the next one is due.
   *
   * @defaultValue 10_000
   * @throws {RangeError} at construction, unless >= 1 (`Infinity` allowed)
   */
  readonly signTimeoutMs?: number;
  /**
   * Called with every new checkpoint. Use it to copy checkpoints to a place that the log's writer
   * cannot modify. An error thrown by the callback is logged and does not affect the log.
   */
  readonly publish?: (note: string, checkpoint: CheckpointBody) => unknown;
  /**
   * The last checkpoint that {@link publish} has stored, where the log's writer cannot change it: its text,
   * a witness to ask, such as `httpWitness`, or a function that returns its text, or `undefined` if there is
   * none. Asked for before the first signature after a start, for at most `signTimeoutMs`. While that fails,
   * or the log is not consistent with it, nothing is signed: otherwise a log that was rewritten and whose
   * own checkpoints were removed would be signed anew. A text is compared at every start, so renew it before
   * retention removes events after it.
   *
   * @defaultValue none: only the checkpoints beside the log are compared
   */
  readonly last?: string | LastCheckpoint | LastCheckpoint['last'];
}

/** Something that knows the last published checkpoint of a log, such as a witness. */
interface LastCheckpoint {
  /** @param origin - of the log's checkpoints */
  last(origin: string): string | undefined | PromiseLike<string | undefined>;
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
   * Identifier of a new log, which all its events, and so its hashes, are bound to: 1 to 128 characters
   * of letters, digits and `._:/-`. A log that has events keeps its own, and is refused if it has
   * another than is given here.
   *
   * @defaultValue a random UUID
   */
  readonly id?: string;
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
   * Longest duration of opening a sink or of one write before the sink counts as failed, in
   * milliseconds. The write is not interrupted; if it succeeds later, the sink is ready again. Saving
   * a checkpoint and closing the sink are not waited for any longer either: `close` then rejects.
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
  /**
   * Longest step of the clock that is believed, in milliseconds: between two events against the monotonic
   * clock, and against the last event at a start, where it is the longest pause of the log. A longer one is
   * stated in the log, and after a step forward no event is removed for its age until the clock has gone
   * back or {@link AuditLog.confirmClock} is called.
   *
   * @defaultValue 259_200_000 (three days)
   * @throws {RangeError} at construction, unless >= 1_000 (`Infinity` allowed)
   */
  readonly maxClockStepMs?: number;
  /** Size limits of one event. */
  readonly limits?: AuditLimits;
  /** Values to drop, mask or hash. @defaultValue {@link defaultRedactionRules}, without a key */
  readonly redaction?: RedactionOptions;
  /** Signed checkpoints. @defaultValue none */
  readonly checkpoints?: CheckpointOptions;
  /**
   * Where the telemetry of the log goes, and which attributes its metrics have besides; see
   * `telemetryScope` of `@temper/core`.
   *
   * @defaultValue the registered providers
   */
  readonly telemetry?: TelemetryScope;
  /** @defaultValue the system clock */
  readonly clock?: Clock;
}

/** The defaults of {@link AuditLimits}, as the README's table shows them. */
export const DEFAULT_LIMITS: Defaults<AuditLimits> = {
  maxBytes: 16_384,
  maxStringLength: 2_048,
  maxEntries: 100,
  maxDepth: 8,
};

type UnsetAuditOptions = 'id' | 'sinks' | 'limits' | 'redaction' | 'checkpoints' | 'telemetry';

/** The defaults of {@link AuditLogOptions}, as the README's table shows them. */
export const AUDIT_DEFAULTS: Omit<Defaults<AuditLogOptions, UnsetAuditOptions>, 'clock'> = {
  name: 'audit',
  rule: 'all',
  whenUnavailable: 'refuse',
  queueLimit: 10_000,
  holdLimit: 10_000,
  sinkTimeoutMs: 10_000,
  sinkRetryMs: 250,
  maxClockStepMs: 259_200_000,
};

type UnsetCheckpointOptions = 'signer' | 'origin' | 'publish' | 'last';

/** The defaults of {@link CheckpointOptions}, as the README's table shows them. */
export const CHECKPOINT_DEFAULTS: Defaults<CheckpointOptions, UnsetCheckpointOptions> = {
  everyEvents: 1_000,
  everyMs: 60_000,
  signTimeoutMs: 10_000,
};

/** Checked {@link CheckpointOptions} with defaults applied. */
export interface ResolvedCheckpointOptions
  extends Omit<Resolved<CheckpointOptions, UnsetCheckpointOptions>, 'signer' | 'origin' | 'last'> {
  readonly signers: readonly NoteSigner[];
  readonly origin: string;
  readonly last: LastCheckpoint['last'] | undefined;
  /** Whether the log was named by its identifier, so that it cannot be another one. */
  readonly named: boolean;
}

/** Checked {@link AuditLogOptions} with defaults applied, except for the sinks. */
export interface ResolvedAuditOptions
  extends Omit<Resolved<AuditLogOptions, UnsetAuditOptions>, UnsetAuditOptions> {
  readonly id: string | undefined;
  readonly sinks: readonly AuditSink[] | undefined;
  readonly limits: Defaults<AuditLimits>;
  readonly redactor: Redactor;
  readonly checkpoints: ResolvedCheckpointOptions | undefined;
  readonly telemetry: TelemetryScope | undefined;
}

const OWNER = 'auditLog';
const CHECKPOINTS = `${OWNER}: checkpoints`;
const MAX_SINKS = 8;

/** Checks the options and applies the defaults. */
export function resolveAuditOptions(options: AuditLogOptions): ResolvedAuditOptions {
  const limit = numberRule({ min: 1, integer: true, infinite: false });
  const { id, sinks, limits, redaction, checkpoints, telemetry, ...all } = resolveOptions<
    AuditLogOptions,
    UnsetAuditOptions
  >(
    OWNER,
    options,
    { ...AUDIT_DEFAULTS, clock: systemClock },
    {
      name: nameRule,
      id: checkId,
      rule: (owner, _option, value) => checkRule(owner, value, options.sinks),
      sinks: checkSinks,
      whenUnavailable: oneOfRule(['refuse', 'degrade']),
      queueLimit: limit,
      holdLimit: limit,
      sinkTimeoutMs: numberRule({ min: 1 }),
      sinkRetryMs: numberRule({ min: 0, infinite: false }),
      maxClockStepMs: numberRule({ min: 1_000 }),
      limits: typeRule('object'),
      redaction: typeRule('object'),
      checkpoints: typeRule('object'),
      clock: clockRule,
      telemetry: telemetryRule,
    },
  );
  return {
    ...all,
    id,
    sinks,
    telemetry,
    limits: resolveLimits(limits ?? {}),
    redactor: new Redactor(redaction, all.name),
    checkpoints:
      checkpoints === undefined ? undefined : resolveCheckpoints(checkpoints, id !== undefined),
  };
}

const checkId: OptionRule = (owner, option, value) => {
  if (typeof value === 'string' && /^[A-Za-z0-9._:/-]{1,128}$/.test(value)) return;
  throw new TypeError(
    `${owner}: ${option} must be 1 to 128 letters, digits and ._:/-, got ${show(value)}.`,
  );
};

const sinkRule = methodsRule('open', 'write', 'close');

function checkSinks(owner: string, option: string, sinks: unknown): void {
  if (!Array.isArray(sinks) || sinks.length < 1 || sinks.length > MAX_SINKS) {
    throw new TypeError(
      `${owner}: ${option} must be an array of 1 to ${MAX_SINKS}, got ${show(sinks)}.`,
    );
  }
  const names = new Set<string>();
  (sinks as readonly AuditSink[]).forEach((sink, i) => {
    const each = `${option}[${i}]`;
    sinkRule(owner, each, sink);
    checkType(owner, `${each}.durable`, sink.durable, 'boolean');
    const name = checkName(`${owner}: ${each}`, sink.name);
    if (names.has(name)) {
      throw new TypeError(
        `${owner}: two sinks are named ${show(name)}; give each sink a unique name.`,
      );
    }
    names.add(name);
  });
}

function resolveLimits(limits: AuditLimits): Defaults<AuditLimits> {
  return resolveOptions(`${OWNER}: limits`, limits, DEFAULT_LIMITS, {
    maxBytes: numberRule({ min: 256, max: 1_048_576, integer: true }),
    maxStringLength: numberRule({ min: 16, max: 65_536, integer: true }),
    maxEntries: numberRule({ min: 1, max: 10_000, integer: true }),
    maxDepth: numberRule({ min: 1, max: 32, integer: true }),
  });
}

function resolveCheckpoints(options: CheckpointOptions, named: boolean): ResolvedCheckpointOptions {
  const { signer, origin, last, ...all } = resolveOptions<
    CheckpointOptions,
    UnsetCheckpointOptions
  >(CHECKPOINTS, options, CHECKPOINT_DEFAULTS, {
    signer: checkSigners,
    origin: checkOrigin,
    everyEvents: numberRule({ min: 1, integer: true }),
    everyMs: numberRule({ min: 1 }),
    signTimeoutMs: numberRule({ min: 1 }),
    publish: typeRule('function'),
    last: checkLast,
  });
  if (signer === undefined) checkSigners(CHECKPOINTS, 'signer', signer);
  const signers = [signer].flat() as readonly NoteSigner[];
  return {
    ...all,
    signers,
    origin: origin ?? (signers[0] as NoteSigner).name,
    last: lastFrom(last),
    named,
  };
}

function lastFrom(last: CheckpointOptions['last']): LastCheckpoint['last'] | undefined {
  if (typeof last === 'string') return () => last;
  return typeof last === 'object' ? (origin) => last.last(origin) : last;
}

/** A signed note, a function, or an object with the method `last`. */
const checkLast: OptionRule = (owner, option, value) => {
  if (typeof value === 'string') parseCheckpoint(value);
  else if (typeof value !== 'function') methodsRule('last')(owner, option, value);
};

const signerRule = methodsRule('sign');

/** @throws {TypeError} unless the value is a signer or several */
export function checkSigners(owner: string, option: string, value: unknown): void {
  const signers = [value].flat() as readonly NoteSigner[];
  if (signers.length === 0) {
    throw new TypeError(`${owner}: ${option} must be a signer or several, got ${show(value)}.`);
  }
  for (const signer of signers) {
    signerRule(owner, option, signer);
    checkOrigin(owner, `${option}.name`, signer.name);
    checkType(owner, `${option}.verifierKey`, signer.verifierKey, 'string');
    numberRule({ min: 0, max: 0xffffffff, integer: true })(owner, `${option}.keyId`, signer.keyId);
  }
}

/** The first line of a checkpoint: by default the name of a signer. */
const checkOrigin: OptionRule = (owner, option, value) => {
  if (typeof value !== 'string' || value === '' || /\p{Cc}/u.test(value)) {
    throw new TypeError(`${owner}: ${option} must be one line of text, got ${show(value)}.`);
  }
};
