import { checkType, reportCallbackError, show } from '@temper/core/policy';
import type { SignedCheckpoint } from '../chain/checkpoint.ts';
import type { AuditEvent, AuditEventInput } from '../chain/event.ts';
import type { Draft } from '../chain/hash-chain.ts';
import { ROTATE, rotationDetails } from '../chain/key-rotation.ts';
import type { NoteSigner } from '../chain/signing-key.ts';
import { AuditClosedError, AuditLossError } from '../errors.ts';
import { type ExportOptions, exportEvents } from '../read/export/export-events.ts';
import {
  type AuditPage,
  type AuditQuery,
  lastEvents,
  queryPage,
  streamEvents,
} from '../read/query.ts';
import { verifyLog } from '../read/verify.ts';
import type { VerifyOptions, VerifyReport } from '../read/verify-report.ts';
import type { AuditSink, AuditSource } from '../sinks/sink.ts';
import { sqliteSink } from '../sinks/sqlite/sqlite-sink.ts';
import { activeSpan, observePending } from '../telemetry.ts';
import type { AuditLog, AuditLogStats, OpenReport } from './audit-log.ts';
import { Checkpointer } from './checkpointer.ts';
import { type EventOrigin, Intake } from './intake/intake.ts';
import { Redactor } from './intake/redaction.ts';
import { LogWriter } from './log-writer.ts';
import {
  type AuditLogOptions,
  checkSigners,
  DEFAULT_LIMITS,
  type ResolvedAuditOptions,
  resolveAuditOptions,
} from './options.ts';
import { OWN_EVENT_TYPE } from './own-events.ts';
import type { RetentionState } from './retention-guard.ts';
import { SERVE, type ServableLog, type ServedEvent } from './served-log.ts';

/**
 * Creates an audit log. Its sinks are opened by the first event, query or {@link AuditLog.ready}.
 *
 * @throws {TypeError | RangeError} if an option is invalid, see {@link AuditLogOptions}
 */
export function auditLog(options: AuditLogOptions = {}): AuditLog {
  return new DurableLog(resolveAuditOptions(options));
}

/** Combines intake, writer, readers and checkpoints. */
class DurableLog implements AuditLog, ServableLog {
  readonly name: string;
  readonly #sinks: readonly AuditSink[];
  readonly #intake: Intake;
  /** Of the events that the log writes about itself. */
  readonly #own: Intake;
  readonly #writer: LogWriter;
  readonly #checkpointer: Checkpointer | undefined;
  readonly #observed: Disposable;
  #closing: Promise<void> | undefined;

  constructor(options: ResolvedAuditOptions) {
    const { name, clock, limits, checkpoints } = options;
    this.name = name;
    this.#sinks = options.sinks ?? [sqliteSink({ path: `${name}.db` })];
    // A statement of the log must not be redacted or cut, or a verification could not read it.
    const now = (): number => clock.now();
    this.#intake = new Intake({ now, activeSpan, redactor: options.redactor, limits });
    const redactor = new Redactor({ rules: [] });
    this.#own = new Intake({ now, activeSpan, redactor, limits: DEFAULT_LIMITS });
    this.#writer = new LogWriter(options, this.#sinks, {
      note: (action, status, details) => this.#note(action, status, details),
      stored: (event) => this.#checkpointer?.stored(event),
      cover: async (sequence) => this.#checkpointer?.cover(sequence),
      source: () => this.source,
    });
    const { queues } = this.#writer;
    this.#checkpointer =
      checkpoints &&
      new Checkpointer(
        name,
        checkpoints,
        clock,
        () => queues,
        () => this.source,
        () => this.#writer.stored,
      );
    this.#observed = observePending(this, options.telemetry);
  }

  #note(action: string, status: string, details: object, origin?: EventOrigin): Draft {
    const own = { eventType: OWN_EVENT_TYPE, action, resource: this.name, status, details };
    return this.#own.prepare(own, origin);
  }

  /** @throws {TypeError} if the event is invalid, or passes itself off as one of the log */
  #prepare(input: AuditEventInput, origin?: EventOrigin): Draft {
    const draft = this.#intake.prepare(input, origin);
    if (draft.event.eventType !== OWN_EVENT_TYPE) return draft;
    throw new TypeError(
      `The eventType '${OWN_EVENT_TYPE}' is reserved for events that an audit log writes about itself.`,
    );
  }

  append(input: AuditEventInput): Promise<AuditEvent> {
    return this.#take(() => this.#prepare(input));
  }

  [SERVE](served: ServedEvent): Promise<AuditEvent> {
    return this.#take(() =>
      'losses' in served
        ? this.#note('account', 'failure', served.losses, served)
        : this.#prepare(served.input, served),
    );
  }

  #take(prepare: () => Draft): Promise<AuditEvent> {
    if (this.#closing !== undefined) return Promise.reject(new AuditClosedError(this.name));
    let draft: Draft;
    try {
      draft = prepare();
    } catch (error) {
      return Promise.reject(error);
    }
    return new Promise((resolve, reject) => this.#writer.take(draft, resolve, reject));
  }

  record(input: AuditEventInput): void {
    if (this.#closing !== undefined) throw new AuditClosedError(this.name);
    const draft = this.#prepare(input);
    if (this.#writer.full) this.#writer.drop();
    else this.#writer.take(draft);
  }

  async ready(): Promise<OpenReport> {
    await this.#writer.flush();
    return this.#writer.report();
  }

  assertAvailable(): void {
    if (this.#closing !== undefined) throw new AuditClosedError(this.name);
    if (this.#writer.backingOff) throw this.#writer.unavailable();
  }

  get source(): AuditSource {
    for (const { source } of this.#sinks) if (source !== undefined) return source;
    throw new TypeError(
      `Audit log '${this.name}' has no sink that can be read; add a file, SQLite, PostgreSQL or memory sink.`,
    );
  }

  async query(query: AuditQuery = {}): Promise<AuditPage> {
    await this.#readable();
    return queryPage(this.source, query);
  }

  async getEvents(limit = 100): Promise<readonly AuditEvent[]> {
    await this.#readable();
    return lastEvents(this.source, limit);
  }

  async *stream(query: AuditQuery = {}): AsyncIterable<AuditEvent> {
    await this.#readable();
    yield* streamEvents(this.source, query);
  }

  async *export(options: ExportOptions = {}): AsyncIterable<string> {
    await this.#readable();
    checkType('export', 'options', options, 'object');
    yield* exportEvents(this.source, { ...options, log: options.log ?? this.name });
  }

  async verify(options: VerifyOptions = {}): Promise<VerifyReport> {
    await this.#readable();
    checkType('verify', 'options', options, 'object');
    return verifyLog(this.source, { ...this.#known(), ...options });
  }

  /** What the writer itself knows of the log: the number of events that its source has stored. */
  #known(): Pick<VerifyOptions, 'size'> {
    const { source } = this;
    const index = this.#sinks.findIndex((sink) => sink.source === source);
    const size = this.#writer.queues[index]?.stored.sequence ?? 0;
    return size === 0 ? {} : { size };
  }

  /** Opens and repairs the sinks before the first read. A failure to open does not prevent reading. */
  async #readable(): Promise<void> {
    if (this.#writer.state === 'idle' || this.#writer.state === 'opening') {
      await this.#writer.flush().catch(() => undefined);
    }
  }

  async checkpoint(): Promise<SignedCheckpoint> {
    if (this.#checkpointer === undefined) throw this.#unsigned();
    await this.#writer.flush();
    return this.#checkpointer.sign();
  }

  #unsigned(): TypeError {
    return new TypeError(
      `Audit log '${this.name}' has no signer; set the option checkpoints.signer.`,
    );
  }

  async rotateKey(next: NoteSigner): Promise<SignedCheckpoint> {
    if (this.#checkpointer === undefined) throw this.#unsigned();
    checkSigners('rotateKey', 'next', next);
    await this.#open();
    return this.#checkpointer.rotate(next, async (present, signer) => {
      const details = await rotationDetails(this.#writer.id, present, signer);
      await this.#writer.announce(ROTATE, details);
    });
  }

  async hold(name: string, reason?: string): Promise<AuditEvent> {
    const details = holdDetails('hold', name, reason);
    await this.#open();
    const { guard } = this.#writer;
    guard.hold(name);
    await this.#writer.retentionSettled();
    const stated = await this.#writer.announce('hold', details);
    guard.state({ action: 'hold', details });
    return stated;
  }

  async release(name: string, reason?: string): Promise<AuditEvent> {
    const details = holdDetails('release', name, reason);
    const { holds } = await this.retention();
    if (!holds.includes(name)) {
      throw new RangeError(`Audit log '${this.name}' has no hold ${show(name)}.`);
    }
    const stated = await this.#writer.announce('release', details);
    this.#writer.guard.state({ action: 'release', details });
    return stated;
  }

  async confirmClock(): Promise<AuditEvent> {
    const { clockStepMs } = await this.retention();
    if (clockStepMs === 0) {
      throw new RangeError(`Audit log '${this.name}' has no step of its clock to confirm.`);
    }
    const details = { stepMs: -clockStepMs, confirmed: true };
    const stated = await this.#writer.announce('clock', details);
    this.#writer.guard.state({ action: 'clock', details });
    return stated;
  }

  async retention(): Promise<RetentionState> {
    await this.#open();
    return this.#writer.guard.load();
  }

  /** @throws {AuditClosedError | AuditUnavailableError} if nothing can be stated */
  async #open(): Promise<void> {
    if (this.#closing !== undefined) throw new AuditClosedError(this.name);
    await this.#writer.flush();
  }

  async flush(): Promise<void> {
    if (this.#writer.state !== 'idle') await this.#writer.flush();
    const lost = this.#writer.takeLost();
    if (lost > 0) throw new AuditLossError(this.name, lost);
  }

  pending(): number {
    return this.#writer.pending();
  }

  stats(): AuditLogStats {
    return {
      ...this.#writer.stats(),
      checkpointed: this.#checkpointer?.size ?? 0,
      checkpointError: this.#checkpointer?.error,
    };
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    let failure: unknown;
    try {
      await this.flush();
    } catch (error) {
      failure = error;
    }
    try {
      if (failure === undefined || failure instanceof AuditLossError) {
        await this.#writer.finishRetention().catch((error: unknown) => {
          reportCallbackError(this.name, 'retention', error); // asked for again after the next start
        });
        await this.#checkpointer?.close();
      }
    } catch (error) {
      failure ??= error;
    }
    this.#observed[Symbol.dispose]();
    await this.#writer.close();
    if (failure !== undefined) throw failure;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

/** Longest name of a hold and longest reason, in UTF-16 code units. */
const [MAX_HOLD, MAX_REASON] = [256, 2_048];

/** Whether a text is stored as it is. */
function isClean(text: string): boolean {
  return text.isWellFormed() && !text.includes('\0');
}

function holdDetails(owner: string, name: unknown, reason: unknown): { readonly name: string } {
  const check = (what: string, value: unknown, max: number): void => {
    if (typeof value === 'string' && value !== '' && value.length <= max && isClean(value)) return;
    throw new TypeError(
      `${owner}: the ${what} must be 1 to ${max} characters, got ${show(value)}.`,
    );
  };
  check('name', name, MAX_HOLD);
  if (reason !== undefined) check('reason', reason, MAX_REASON);
  return { name: name as string, ...(reason === undefined ? {} : { reason }) };
}
