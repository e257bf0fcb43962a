import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { lowerPriority } from '@temper/parsercraft';
import type { Job } from './jobs.ts';
import type { Assignment, Report, WireOutcome } from './messages.ts';

/** How a worker ended. */
export interface WorkerEnd {
  readonly outOfMemory: boolean;
  /** Exit code or signal, and the last lines of its standard error; for the log of the service. */
  readonly text: string;
}

/** What became of a job. */
export type JobResult =
  | { readonly outcome: WireOutcome; readonly end?: undefined }
  /** The process has ended before the job was done. */
  | { readonly end: WorkerEnd; readonly outcome?: undefined };

/** Memory of a worker that its programs cannot use up, in mebibytes: short-lived objects. */
const YOUNG_MB = 16;
const KEPT_LOG = 4_096;
/** On a busy machine the service comes before the programs of its clients: steps of niceness. */
export const LESS_PRIORITY = 5;
const MAIN = fileURLToPath(
  new URL(`./main.${import.meta.url.endsWith('.ts') ? 'ts' : 'js'}`, import.meta.url),
);

/** The program of a worker. */
export interface WorkerProgram {
  /** Its file. @defaultValue the toolchain */
  readonly file?: string;
  /** Limit of the heap, in mebibytes. */
  readonly memoryMb: number;
}

/** One worker: a child process that does one job at a time. */
export class WorkerProcess {
  /** Resolves when the worker can take a job, or has ended before. */
  readonly ready: Promise<boolean>;
  /** Resolves when the process has ended. Never rejects. */
  readonly ended: Promise<WorkerEnd>;
  readonly #child: ChildProcess;
  #job: { readonly id: number; readonly settle: (result: JobResult) => void } | undefined;
  #end: WorkerEnd | undefined;
  #jobs = 0;
  /** Whether the worker asked to be replaced, because its memory is in use. */
  isFull = false;

  constructor({ file = MAIN, memoryMb }: WorkerProgram) {
    const child = fork(file, [], {
      // Its own flags and environment: a program gets neither the service's secrets nor its debugger.
      // It may read, to load its code, and may neither write nor start processes.
      execArgv: [
        '--permission',
        '--allow-fs-read=*',
        // For the thread that ends the worker with the service.
        '--allow-worker',
        '--disable-warning=ExperimentalWarning',
        '--expose-gc',
        `--max-old-space-size=${memoryMb}`,
        `--max-semi-space-size=${YOUNG_MB}`,
      ],
      env: {},
      serialization: 'advanced',
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    });
    this.#child = child;
    lowerPriority(child.pid, LESS_PRIORITY);
    let [log, outOfMemory] = ['', false];
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      // A stack of any length follows.
      outOfMemory ||= /heap out of memory/.test(log + text);
      log = (log + text).slice(-KEPT_LOG);
    });
    this.ended = new Promise((resolve) => {
      const end = (how: string): void => {
        if (this.#end !== undefined) return;
        this.#end = { outOfMemory, text: `${how}\n${log}`.trim() };
        resolve(this.#end);
        this.#job?.settle({ end: this.#end });
        this.#job = undefined;
      };
      child.once('error', (error) => end(error.message));
      // Not `exit`: what it has written last is read to its end.
      child.once('close', (code, signal) => end(String(signal ?? code)));
    });
    const { promise, resolve } = Promise.withResolvers<boolean>();
    this.ready = promise;
    void this.ended.then(() => resolve(false));
    child.on('message', (report: Report) => {
      if (report.type === 'ready') resolve(true);
      else this.#done(report);
    });
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** Gives the worker a job. Never rejects. */
  assign(job: Job): Promise<JobResult> {
    if (this.#end !== undefined) return Promise.resolve({ end: this.#end });
    const id = ++this.#jobs;
    return new Promise((settle) => {
      this.#job = { id, settle };
      this.#send({ id, job });
    });
  }

  /** Ends the process at once, whatever it does. */
  kill(): void {
    this.#child.kill('SIGKILL');
  }

  /** Lets an idle process end. */
  dismiss(): void {
    // After a disconnect by this side there is no `close` event.
    this.#send('end');
  }

  #send(assignment: Assignment): void {
    // A channel that broke tells of itself by the end of the process.
    if (this.#child.connected) this.#child.send(assignment, () => undefined);
  }

  #done({ id, outcome, full }: Extract<Report, { type: 'done' }>): void {
    if (this.#job?.id !== id) return;
    const { settle } = this.#job;
    this.#job = undefined;
    this.isFull = full;
    settle({ outcome });
  }
}
