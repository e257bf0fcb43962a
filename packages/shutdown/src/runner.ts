import { setMaxListeners } from 'node:events';
import { type Clock, OperationTimeoutError } from '@temper/core';
import { type Counts, noteEnding, type Scheduled } from '@temper/core/policy';
import { placeOf } from './creation-stacks.ts';
import { ShutdownForcedError } from './errors.ts';
import { type HandlerOrder, type HandlerOutcome, nextBatch, timeLeft } from './phases.ts';
import type { ShutdownReason } from './reason.ts';
import type { HandlerResult } from './report.ts';
import type { PhaseTrace } from './telemetry.ts';

/** Argument of a handler. */
export interface HandlerContext {
  readonly reason: ShutdownReason;
  /** Aborts at the time limit of the handler. The shutdown does not wait for it any longer. */
  readonly signal: AbortSignal;
  /** Remaining time in milliseconds. */
  readonly timeLeftMs: () => number;
}

/** A validated handler. */
export interface Handler {
  readonly phase: string;
  readonly name: string;
  /** In milliseconds. */
  readonly timeoutMs: number;
  readonly run: (context: HandlerContext) => unknown;
  /** Whether this package has added it. */
  readonly builtIn?: boolean;
}

/** Options of {@link HandlerRunner}. */
export interface RunnerOptions {
  readonly name: string;
  readonly clock: Clock;
  readonly reason: ShutdownReason;
  readonly counts: Counts<HandlerOutcome>;
}

/** Runs handlers, each within its time limit, and collects their results. */
export class HandlerRunner {
  readonly results: HandlerResult[] = [];
  readonly #options: RunnerOptions;
  readonly #unsettled = new Set<Handler>();
  readonly #force = new AbortController();
  /** Ends the wait for a handler at its time limit, for each one that runs. */
  readonly #waits = new Set<() => void>();

  constructor(options: RunnerOptions) {
    this.#options = options;
    // Any number of handlers may run at the same time; their listeners are removed when they settle.
    setMaxListeners(0, this.#force.signal);
  }

  /** Handlers that were started and have not settled, including those that timed out. */
  get hung(): string[] {
    return [...this.#unsettled].map(({ phase, name }) => `${phase}/${name}`);
  }

  /** Aborts when the shutdown is forced. */
  get forced(): AbortSignal {
    return this.#force.signal;
  }

  /** Ends every wait immediately. Handlers that were not started are skipped. */
  force(): void {
    this.#force.abort(new ShutdownForcedError(this.#options.name));
  }

  /** Ends the wait for every handler that runs, as if its time limit had come. */
  giveUp(): void {
    for (const giveUp of [...this.#waits]) giveUp();
  }

  /**
   * Runs the waiting handlers in order, including those added meanwhile, until none is left.
   *
   * @param waiting - is emptied
   * @param deadline - on the clock's monotonic scale, in milliseconds
   */
  async runPhase(
    waiting: Handler[],
    order: HandlerOrder,
    deadline: number,
    trace: PhaseTrace,
  ): Promise<void> {
    const results: HandlerResult[] = [];
    while (waiting.length > 0) {
      const { batch, rest } = nextBatch(order, waiting);
      waiting.splice(0, waiting.length, ...rest);
      results.push(
        ...(await Promise.all(batch.map((handler) => this.run(handler, deadline, trace)))),
      );
    }
    trace.end(results);
  }

  /**
   * Runs one handler. Never rejects.
   *
   * @param deadline - on the clock's monotonic scale, in milliseconds
   * @param trace - undefined once telemetry may no longer be recorded
   */
  async run(
    handler: Handler,
    deadline: number,
    trace: PhaseTrace | undefined,
  ): Promise<HandlerResult> {
    const { clock, counts } = this.#options;
    const startedAt = clock.monotonic();
    const { phase, name } = handler;
    const limitMs = timeLeft(handler.timeoutMs, startedAt, deadline);
    const span = trace?.handler(name);
    const ended = await (limitMs === 0 || this.forced.aborted
      ? { outcome: 'skipped' as const }
      : this.#attempt(handler, limitMs, span?.run ?? ((work) => work())));
    const durationMs = clock.monotonic() - startedAt;
    const registeredAt = ended.outcome === 'completed' ? undefined : placeOf(handler);
    const result: HandlerResult = {
      phase,
      name,
      durationMs,
      ...ended,
      ...(registeredAt === undefined ? {} : { registeredAt }),
    };
    this.results.push(result);
    if (span !== undefined) {
      counts[result.outcome] += 1;
      span.ended(result);
    }
    return result;
  }

  #attempt(
    handler: Handler,
    limitMs: number,
    inSpan: <T>(work: () => T) => T,
  ): Promise<Pick<HandlerResult, 'outcome' | 'error'>> {
    const { name, clock, reason } = this.#options;
    const controller = new AbortController();
    const startedAt = clock.monotonic();
    const endsAt = startedAt + limitMs;
    const which = `${handler.phase}/${handler.name}`;
    return new Promise((resolve) => {
      let timer: Scheduled | undefined;
      const stop = (): void => {
        timer?.cancel();
        this.forced.removeEventListener('abort', onForce);
        this.#waits.delete(onEmpty);
      };
      const giveUp = (error: unknown, reason: unknown = error): void => {
        stop();
        controller.abort(reason);
        resolve({ outcome: 'timed_out', error });
      };
      const onForce = (): void => giveUp(this.forced.reason);
      const settle = (ended: Pick<HandlerResult, 'outcome' | 'error'>): void => {
        this.#unsettled.delete(handler);
        stop();
        resolve(ended);
      };
      this.forced.addEventListener('abort', onForce, { once: true });
      const timeOut = (afterMs: number): void => {
        const create = (): Error => new OperationTimeoutError(name, afterMs, `Handler '${which}'`);
        const error = create();
        const reason = create();
        // A policy that is given the signal knows by it that a timeout has ended the handler.
        noteEnding(reason, 'timeout', error);
        giveUp(error, reason);
      };
      const onEmpty = (): void => timeOut(clock.monotonic() - startedAt);
      this.#waits.add(onEmpty);
      timer = clock.schedule(() => timeOut(limitMs), limitMs);
      // With an empty event loop the time limit does not matter: nothing else can settle the handler.
      if (reason.kind === 'beforeExit') timer.unref();
      this.#unsettled.add(handler);
      const context: HandlerContext = {
        reason,
        signal: controller.signal,
        timeLeftMs: () => timeLeft(limitMs, clock.monotonic(), endsAt),
      };
      // The async function turns a synchronous throw into a rejection.
      inSpan(async () => handler.run(context)).then(
        () => settle({ outcome: 'completed' }),
        (error: unknown) => settle({ outcome: 'failed', error }),
      );
    });
  }
}
