import { OperationTimeoutError } from '@temper/core';
import { reportCallbackError } from '@temper/core/policy';
import type { AuditEvent } from '../chain/event.ts';
import type { Retirable } from '../sinks/sink.ts';
import type { ResolvedAuditOptions } from './options.ts';
import type { RetentionGuard } from './retention-guard.ts';
import { withinTime } from './time-limit.ts';
import type { WriterQueue } from './writer-queue.ts';

/** The part of the log that retention uses. */
export interface RetentionHost {
  /** Name of the log. */
  readonly log: string;
  /** Appends a `retire` event and resolves when it is durable. */
  announce(details: object): Promise<AuditEvent>;
  /** Resolves when a published checkpoint covers the event with this sequence, if the log signs any. */
  cover(sequence: number): Promise<void>;
  /** States in the log if the clock has gone forward or back. */
  observeClock(): void;
  readonly guard: RetentionGuard;
}

/**
 * Removes events that are beyond the limits of a sink, in an order that leaves no doubt afterwards: a
 * published checkpoint covers them; the log states their removal; a published checkpoint covers the
 * statement; only then are they removed. Without the statement, missing events are missing. A legal hold
 * keeps all events, and a clock that is not trusted those that seem to be too old.
 */
export class Retention {
  readonly #host: RetentionHost;
  readonly #busy: Map<WriterQueue, Promise<void>> = new Map();
  readonly #removing: Set<Promise<void>> = new Set();

  constructor(host: RetentionHost) {
    this.#host = host;
  }

  /** Removes events of one sink, unless a removal is under way. A failure is logged; the sink asks again. */
  retire(queue: WriterQueue, events: Retirable): void {
    if (this.#busy.has(queue)) return;
    const done = this.#retire(queue, events)
      .catch((error: unknown) => reportCallbackError(this.#host.log, 'retention', error))
      .finally(() => this.#busy.delete(queue));
    this.#busy.set(queue, done);
  }

  /**
   * Waits for the removals under way, and removes what has been beyond the limits since.
   *
   * @throws {OperationTimeoutError} if that takes longer than `sinkTimeoutMs`
   */
  async finishAll(
    queues: readonly WriterQueue[],
    { clock, sinkTimeoutMs }: Pick<ResolvedAuditOptions, 'clock' | 'sinkTimeoutMs'>,
  ): Promise<void> {
    const ready = queues.filter(
      ({ health, sink }) => health === 'ready' && sink.retirable !== undefined,
    );
    if (ready.length === 0) return;
    const finish = (): Promise<unknown> => Promise.all(ready.map((queue) => this.#finish(queue)));
    const late = (): Error => new OperationTimeoutError(this.#host.log, sinkTimeoutMs, 'Retention');
    await withinTime(clock, sinkTimeoutMs, finish, late);
  }

  async #finish(queue: WriterQueue): Promise<void> {
    await this.#busy.get(queue);
    const byAge = this.#host.guard.known.clockStepMs === 0;
    const events = await queue.sink.retirable?.({ byAge });
    if (events === undefined) return;
    this.retire(queue, events);
    await this.#busy.get(queue);
  }

  async #retire({ sink }: WriterQueue, found: Retirable): Promise<void> {
    const { guard } = this.#host;
    this.#host.observeClock();
    const { clockStepMs } = guard.ready ?? (await guard.load());
    const events = clockStepMs > 0 ? await sink.retirable?.({ byAge: false }) : found;
    if (events === undefined) return;
    const { from, sequence, hash, log } = events;
    await this.#host.cover(sequence);
    if (guard.known.holds.length > 0) return;
    const details = { sink: sink.name, from, to: sequence, hash };
    const statement = await this.#host.announce(details);
    await this.#host.cover(statement.sequence);
    // A hold may have been put into force since. The statement then says more than was done.
    if (guard.known.holds.length > 0) return;
    const removed = Promise.resolve(sink.retire?.({ sequence, hash, log }));
    const settled = removed.catch(() => undefined);
    this.#removing.add(settled);
    await removed.finally(() => this.#removing.delete(settled));
  }

  /** Resolves when what is being removed has been removed. */
  async settled(): Promise<void> {
    await Promise.all(this.#removing);
  }
}
