import { checkType } from '@temper/core/policy';
import type { SignedCheckpoint } from '../chain/checkpoint.ts';
import type { AuditEvent, AuditEventInput } from '../chain/event.ts';
import type { Draft } from '../chain/hash-chain.ts';
import { AuditClosedError } from '../errors.ts';
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
import { Intake } from './intake/intake.ts';
import { LogWriter } from './log-writer.ts';
import { type AuditLogOptions, type ResolvedAuditOptions, resolveAuditOptions } from './options.ts';

/** `eventType` of events that the log writes itself. */
const OWN_EVENT_TYPE = 'audit';

/**
 * Creates an audit log. Its sinks are opened by the first event, query or {@link AuditLog.ready}.
 *
 * @throws {TypeError | RangeError} if an option is invalid, see {@link AuditLogOptions}
 */
export function auditLog(options: AuditLogOptions = {}): AuditLog {
  return new DurableLog(resolveAuditOptions(options));
}

/** Combines intake, writer, readers and checkpoints. */
class DurableLog implements AuditLog {
  readonly name: string;
  readonly #sinks: readonly AuditSink[];
  readonly #intake: Intake;
  readonly #writer: LogWriter;
  readonly #checkpointer: Checkpointer | undefined;
  readonly #observed: Disposable;
  #closing: Promise<void> | undefined;

  constructor(options: ResolvedAuditOptions) {
    const { name, clock, redactor, limits, checkpoints } = options;
    this.name = name;
    this.#sinks = options.sinks ?? [sqliteSink({ path: `${name}.db` })];
    this.#intake = new Intake({ now: clock.now, activeSpan, redactor, limits });
    this.#writer = new LogWriter(options, this.#sinks, {
      note: (action, status, details) => this.#note(action, status, details),
      stored: (event) => this.#checkpointer?.stored(event),
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
      );
    this.#observed = observePending(this);
  }

  #note(action: string, status: string, details: object): Draft {
    return this.#intake.prepare({
      eventType: OWN_EVENT_TYPE,
      action,
      resource: this.name,
      status,
      details,
    });
  }

  append(input: AuditEventInput): Promise<AuditEvent> {
    if (this.#closing !== undefined) return Promise.reject(new AuditClosedError(this.name));
    let draft: Draft;
    try {
      draft = this.#intake.prepare(input);
    } catch (error) {
      return Promise.reject(error);
    }
    return new Promise((resolve, reject) => this.#writer.take(draft, resolve, reject));
  }

  record(input: AuditEventInput): void {
    if (this.#closing !== undefined) throw new AuditClosedError(this.name);
    const draft = this.#intake.prepare(input);
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
    return verifyLog(this.source, options);
  }

  /** Opens and repairs the sinks before the first read. A failure to open does not prevent reading. */
  async #readable(): Promise<void> {
    if (this.#writer.state === 'idle' || this.#writer.state === 'opening') {
      await this.#writer.flush().catch(() => undefined);
    }
  }

  async checkpoint(): Promise<SignedCheckpoint> {
    if (this.#checkpointer === undefined) {
      throw new TypeError(
        `Audit log '${this.name}' has no signer; set the option checkpoints.signer.`,
      );
    }
    await this.#writer.flush();
    return this.#checkpointer.sign(this.#writer.stored);
  }

  flush(): Promise<void> {
    return this.#writer.state === 'idle' ? Promise.resolve() : this.#writer.flush();
  }

  pending(): number {
    return this.#writer.pending();
  }

  stats(): AuditLogStats {
    return { ...this.#writer.stats(), checkpointed: this.#checkpointer?.size ?? 0 };
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    let failure: unknown;
    try {
      await this.flush();
      await this.#checkpointer?.close(this.#writer.stored);
    } catch (error) {
      failure = error;
    }
    this.#observed[Symbol.dispose]();
    await this.#writer.close();
    if (failure !== undefined) throw failure;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
