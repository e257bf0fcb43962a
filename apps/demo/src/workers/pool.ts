import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import { safeLines } from '@temper/core/policy';
import { Debts } from './debts.ts';
import {
  ToolchainBugError,
  WorkerCrashError,
  WorkersUnavailableError,
  WorkLimitError,
} from './errors.ts';
import { jobSpan } from './job-span.ts';
import type { Job, JobKind, Jobs } from './jobs.ts';
import type { WireOutcome } from './messages.ts';
import { Turns } from './turns.ts';
import { decodeError } from './wire-errors.ts';
import { type WorkerEnd, WorkerProcess } from './worker-process.ts';

/** What a job may use. */
export interface WorkBudget {
  /** Time from the start of the job, in milliseconds. */
  readonly timeMs: number;
  /** Heap of a worker, in mebibytes. */
  readonly memoryMb: number;
}

interface PoolOptions {
  /** Number of workers; an integer >= 1. */
  readonly size: number;
  readonly budget: WorkBudget;
  /** Program of the workers, for tests. @defaultValue the toolchain */
  readonly file?: string;
  /**
   * Time that a job whose caller has gone gets to end by itself, in milliseconds: a new worker costs more.
   *
   * @defaultValue 100
   */
  readonly abandonedMs?: number;
  /** Writes a line into the log of the service. */
  readonly log: (line: string) => void;
}

export interface RunOptions {
  /** Cancels the job. */
  readonly signal: AbortSignal;
  /**
   * Who the job is for. While a worker is replaced that ended during a job of this client, its other jobs
   * wait: the others find as many workers as if it were still busy.
   *
   * @defaultValue nobody's
   */
  readonly client?: string | undefined;
  /** Runs the wait for a worker. @defaultValue as it is */
  readonly awaitTurn?: (turn: () => Promise<WorkerProcess>) => Promise<WorkerProcess>;
}

/** Why workers were replaced. */
interface Replacements {
  /** A job took too long. */
  time: number;
  /** A job needed too much memory. */
  memory: number;
  /** The caller of a job had gone, and the job did not end by itself. */
  abandoned: number;
  /** The worker kept too much memory between two jobs. */
  full: number;
  /** The worker ended for another reason. */
  crash: number;
}

export interface PoolStats {
  readonly size: number;
  readonly idle: number;
  readonly busy: number;
  /** Jobs that wait for a worker. */
  readonly waiting: number;
  readonly jobs: number;
  readonly replaced: Readonly<Replacements>;
}

const ABANDONED_MS = 100;
/** Time that a worker gets to end by itself. */
const DISMISSED_MS = 1_000;
/** Wait before the next worker, when the last ones ended before they were ready. */
const RESTART_MS = { first: 100, most: 5_000 } as const;
/** Workers in a row that end before they are ready, after which jobs fail instead of waiting. */
const MAX_FAILED_STARTS = 3;

/**
 * Processes that do the work of strangers: a job gets its own process while it runs, which is killed when
 * the job exceeds its budget, and replaced. Not threads: some allocations of a thread end the whole process.
 */
export class WorkerPool implements AsyncDisposable {
  readonly #options: PoolOptions;
  readonly #workers = new Set<WorkerProcess>();
  readonly #busy = new Map<WorkerProcess, Promise<unknown>>();
  readonly #turns = new Turns<WorkerProcess>();
  readonly #replaced: Replacements = { time: 0, memory: 0, abandoned: 0, full: 0, crash: 0 };
  /** Why this pool ended a worker. */
  readonly #reasons = new WeakMap<WorkerProcess, keyof Replacements>();
  /** Resolves when the worker has ended and another can take a job in its place. */
  readonly #successions = new WeakMap<WorkerProcess, Promise<void>>();
  readonly #debts = new Debts();
  #jobs = 0;
  #failedStarts = 0;
  #closing: Promise<void> | undefined;

  constructor(options: PoolOptions) {
    this.#options = options;
  }

  /**
   * Starts the workers. Resolves when all can take a job.
   *
   * @throws {WorkersUnavailableError} when one ends before
   */
  async start(): Promise<void> {
    const workers = Array.from({ length: this.#options.size }, () => this.#add());
    const ready = await Promise.all(workers.map((worker) => worker.ready));
    if (ready.includes(false)) {
      throw new WorkersUnavailableError('The workers of the toolchain do not start.');
    }
  }

  stats(): PoolStats {
    return {
      size: this.#options.size,
      idle: this.#turns.idle,
      busy: this.#busy.size,
      waiting: this.#turns.waiting,
      jobs: this.#jobs,
      replaced: { ...this.#replaced },
    };
  }

  /**
   * Runs a job on a worker.
   *
   * @param jobOf - makes the job when its turn has come
   * @throws the error of the toolchain
   * @throws {WorkLimitError} when the job exceeded its budget
   * @throws {WorkerCrashError | ToolchainBugError} when the toolchain is at fault
   * @throws {WorkersUnavailableError} when there is no worker
   * @throws the reason of the signal
   */
  run<K extends JobKind>(
    kind: K,
    jobOf: () => Jobs[K]['input'],
    { signal, client, awaitTurn = (turn) => turn() }: RunOptions,
  ): Promise<Jobs[K]['result']> {
    return jobSpan(kind, async (span) => {
      const worker = await awaitTurn(() => {
        const take = (): Promise<WorkerProcess> => this.#turns.take(signal);
        return this.#debts.settled(client, signal)?.then(take) ?? take();
      });
      span.begins();
      this.#jobs += 1;
      const working = this.#work(worker, { kind, input: jobOf() }, signal, client);
      this.#busy.set(worker, working.over);
      const outcome = await working.outcome;
      if (outcome.ok) return outcome.value as Jobs[K]['result'];
      const { error } = outcome;
      const known = decodeError(error);
      if (known !== undefined) throw known;
      if ('stack' in error) this.#options.log(`toolchain: ${kind}: ${safeLines(error.stack)}`);
      throw new ToolchainBugError(kind, error.name);
    });
  }

  /** Waits for the jobs that run, and ends the workers. Jobs that wait for a worker fail. Idempotent. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(): Promise<void> {
    this.#turns.end(new WorkersUnavailableError('The service is shutting down.'));
    // Each ends within its budget.
    await Promise.allSettled([...this.#busy.values()]);
    const workers = [...this.#workers];
    for (const worker of workers) worker.dismiss();
    const late = setTimeout(() => {
      for (const worker of workers) worker.kill();
    }, DISMISSED_MS);
    await Promise.all(workers.map(({ ended }) => ended));
    clearTimeout(late);
  }

  /** Runs a job to its end. `outcome` rejects before `over` resolves when the caller goes away. */
  #work(
    worker: WorkerProcess,
    job: Job,
    signal: AbortSignal,
    client: string | undefined,
  ): { readonly outcome: Promise<WireOutcome>; readonly over: Promise<void> } {
    const { budget, abandonedMs = ABANDONED_MS } = this.#options;
    const { timeMs, memoryMb } = budget;
    let abandoned: NodeJS.Timeout | undefined;
    let isOver = false;
    const stop = async (reason: 'time' | 'abandoned'): Promise<void> => {
      // After a stall of this process the answer may have come before its time was up.
      await nextTurn();
      if (isOver) return;
      this.#reasons.set(worker, reason);
      worker.kill();
    };
    const timer = setTimeout(() => void stop('time'), timeMs);
    const { promise: gone, reject } = Promise.withResolvers<never>();
    const leave = (): void => {
      reject(signal.reason);
      abandoned = setTimeout(() => void stop('abandoned'), abandonedMs);
    };
    if (signal.aborted) leave();
    else signal.addEventListener('abort', leave, { once: true });
    // Nothing is kept on a promise of the worker, which outlives many jobs.
    const done = worker.assign(job).then(({ end, outcome }): WireOutcome => {
      if (end === undefined) return outcome;
      this.#debts.add(client, this.#successions.get(worker));
      if (end.outOfMemory) throw new WorkLimitError('memory', memoryMb);
      if (this.#reasons.get(worker) === 'time') throw new WorkLimitError('time', timeMs);
      throw new WorkerCrashError(job.kind);
    });
    const over = done
      .catch(() => undefined)
      .then(() => {
        isOver = true;
        clearTimeout(timer);
        clearTimeout(abandoned);
        signal.removeEventListener('abort', leave);
        this.#release(worker);
      });
    return { outcome: Promise.race([done, gone]), over };
  }

  #release(worker: WorkerProcess): void {
    this.#busy.delete(worker);
    if (worker.isFull) {
      this.#reasons.set(worker, 'full');
      worker.dismiss();
    } else if (this.#workers.has(worker)) this.#turns.offer(worker);
  }

  #add(): WorkerProcess {
    const { budget, file } = this.#options;
    const worker = new WorkerProcess({ memoryMb: budget.memoryMb, ...(file && { file }) });
    this.#workers.add(worker);
    void worker.ready.then((isReady) => {
      if (!isReady) return;
      this.#failedStarts = 0;
      this.#turns.offer(worker);
    });
    this.#successions.set(worker, this.#succeed(worker));
    return worker;
  }

  /** Replaces a worker when it has ended. Resolves when the next one can take a job, or has ended too. */
  async #succeed(worker: WorkerProcess): Promise<void> {
    const end = await worker.ended;
    const wasReady = await worker.ready;
    this.#workers.delete(worker);
    this.#turns.withdraw(worker);
    if (this.#closing !== undefined) return;
    this.#note(worker, end);
    if (!wasReady) this.#failedStarts += 1;
    if (this.#failedStarts >= MAX_FAILED_STARTS) {
      this.#turns.refuse(new WorkersUnavailableError('No worker of the toolchain starts.'));
    }
    const { first, most } = RESTART_MS;
    const waitMs = wasReady ? 0 : Math.min(most, first * 2 ** this.#failedStarts);
    if (waitMs > 0) await sleep(waitMs, undefined, { ref: false });
    if (this.#closing === undefined) await this.#add().ready;
  }

  #note(worker: WorkerProcess, { outOfMemory, text }: WorkerEnd): void {
    const reason = this.#reasons.get(worker) ?? (outOfMemory ? 'memory' : 'crash');
    this.#replaced[reason] += 1;
    if (reason === 'crash') this.#options.log(`toolchain: a worker ended: ${safeLines(text)}`);
  }
}
