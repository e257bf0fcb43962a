import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { InMemoryTelemetry } from '@temper/testkit/repository';
import { afterEach, describe, expect, it, onTestFinished } from 'vitest';
import {
  ToolchainBugError,
  WorkerCrashError,
  WorkersUnavailableError,
  WorkLimitError,
} from '../../src/workers/errors.ts';
import { type WorkBudget, WorkerPool } from '../../src/workers/pool.ts';

const program = (name: string): string =>
  fileURLToPath(new URL(`../programs/${name}.ts`, import.meta.url));
const ROOMY: WorkBudget = { timeMs: 60_000, memoryMb: 64 };
const never = new AbortController().signal;

interface Started {
  readonly pool: WorkerPool;
  readonly lines: string[];
  /** Gives a worker something to do; resolves with its process id. */
  readonly ask: (deed: string, signal?: AbortSignal, client?: string) => Promise<string>;
}

async function started(
  size = 1,
  budget: Partial<WorkBudget> = {},
  abandonedMs = 60_000,
): Promise<Started> {
  const lines: string[] = [];
  const file = program('misbehaving-worker');
  const log = (line: string): void => void lines.push(line);
  const pool = new WorkerPool({ size, budget: { ...ROOMY, ...budget }, file, log, abandonedMs });
  onTestFinished(() => pool.close());
  await pool.start();
  const ask = async (source: string, signal = never, client?: string): Promise<string> => {
    const input = { source, language: { bundled: 'core' }, packages: new Map() } as const;
    return (await pool.run('c', () => input, { signal, client })).c;
  };
  return { pool, lines, ask };
}

const failure = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => expect.fail('It resolved.'),
    (error: unknown) => error,
  );

describe('a pool of workers', () => {
  it('kills a job that takes too long, and its next job runs in another process', async () => {
    const { ask, pool, lines } = await started(1, { timeMs: 2_000 });
    const before = await ask('answer');
    const error = await failure(ask('hang'));
    expect(error).toBeInstanceOf(WorkLimitError);
    expect(error).toMatchObject({ limit: 'time', message: expect.stringContaining('2000 ms') });
    expect(await ask('answer')).not.toBe(before);
    expect(pool.stats().replaced).toMatchObject({ time: 1, crash: 0 });
    expect(lines).toEqual([]);
  });

  it.each(['objects', 'table'])('survives a job that fills its memory with %s', async (deed) => {
    const { ask, pool } = await started();
    const before = await ask('answer');
    const error = await failure(ask(deed));
    expect(error).toBeInstanceOf(WorkLimitError);
    expect(error).toMatchObject({ limit: 'memory', message: expect.stringContaining('64 MiB') });
    expect(await ask('answer')).not.toBe(before);
    expect(pool.stats().replaced).toMatchObject({ memory: 1, crash: 0 });
  });

  it.each(['exit', 'abort'])('survives a worker that ends by itself: %s', async (deed) => {
    const { ask, pool, lines } = await started();
    expect(await failure(ask(deed))).toBeInstanceOf(WorkerCrashError);
    expect(await ask('answer')).toMatch(/^\d+$/);
    expect(pool.stats().replaced).toMatchObject({ crash: 1, memory: 0, time: 0 });
    expect(lines).toEqual([expect.stringContaining(deed === 'exit' ? '3' : 'SIGABRT')]);
  });

  it('tells the log of an unexpected error, and its caller the name alone', async () => {
    const { ask, lines } = await started();
    const error = await failure(ask('throw'));
    expect(error).toBeInstanceOf(ToolchainBugError);
    expect((error as Error).message).toContain('TypeError');
    expect((error as Error).message).not.toMatch(/secret|inner/);
    expect(lines).toEqual([expect.stringContaining('/srv/inner/file.js')]);
  });

  it('gives a worker neither the environment nor the flags of the service', async () => {
    process.env.PARSERCRAFT_TEST_SECRET = 'secret';
    onTestFinished(() => void delete process.env.PARSERCRAFT_TEST_SECRET);
    const { ask } = await started();
    const { env, argv } = JSON.parse(await ask('environment'));
    expect(JSON.stringify(env)).not.toContain('secret');
    expect(argv).toContain('--permission');
  });

  it('runs as many jobs at a time as it has workers; others wait in order', async () => {
    const { ask, pool } = await started(2, {}, 1);
    const stop = new AbortController();
    const hanging = failure(ask('hang', stop.signal));
    const order: number[] = [];
    const jobs = [1, 2, 3].map((at) => ask('answer').then(() => order.push(at)));
    expect(pool.stats()).toMatchObject({ size: 2, idle: 0, waiting: 2 });
    await Promise.all(jobs);
    expect(order).toEqual([1, 2, 3]);
    expect(pool.stats()).toMatchObject({ busy: 1, idle: 1, waiting: 0, jobs: 4 });
    stop.abort(new Error('enough'));
    expect(await hanging).toMatchObject({ message: 'enough' });
  });

  it('lets a job end whose caller has gone, if it does soon', async () => {
    const { ask, pool } = await started();
    const before = await ask('answer');
    const leave = new AbortController();
    const leaving = failure(ask('answer', leave.signal));
    leave.abort(new Error('gone'));
    expect(await leaving).toMatchObject({ message: 'gone' });
    expect(await ask('answer')).toBe(before);
    expect(pool.stats().replaced).toMatchObject({ abandoned: 0 });
  });

  it('kills a job whose caller has gone, if it does not end', async () => {
    const { ask, pool } = await started(1, {}, 1);
    const before = await ask('answer');
    const leave = new AbortController();
    const hanging = failure(ask('hang', leave.signal));
    leave.abort(new Error('gone'));
    expect(await hanging).toMatchObject({ message: 'gone' });
    expect(await ask('answer')).not.toBe(before);
    expect(pool.stats().replaced).toMatchObject({ abandoned: 1, crash: 0 });
  });

  it('takes a job back from the queue when its caller has gone', async () => {
    const { ask, pool } = await started(1, {}, 1);
    const [stop, leave] = [new AbortController(), new AbortController()];
    const hanging = failure(ask('hang', stop.signal));
    const waiting = failure(ask('answer', leave.signal));
    expect(pool.stats().waiting).toBe(1);
    leave.abort(new Error('gone'));
    expect(await waiting).toMatchObject({ message: 'gone' });
    expect(pool.stats()).toMatchObject({ waiting: 0, jobs: 1 });
    stop.abort();
    await hanging;
  });

  it('does not blame a job that was done before a stall of the service', async () => {
    const { ask } = await started(1, { timeMs: 300 });
    await ask('answer');
    const job = ask('answer');
    await sleep(0);
    const end = performance.now() + 1_000;
    while (performance.now() < end);
    expect(await job).toMatch(/^\d+$/);
  });

  it('replaces a worker that keeps too much memory after its job', async () => {
    const { ask, pool } = await started();
    const before = await ask('full answer');
    expect(await ask('answer')).not.toBe(before);
    expect(pool.stats().replaced).toMatchObject({ full: 1, crash: 0 });
  });

  it('replaces a worker that is killed while it is idle', async () => {
    const { ask } = await started();
    const before = await ask('answer');
    process.kill(Number(before), 'SIGKILL');
    await expect.poll(() => ask('answer').catch(() => before)).not.toBe(before);
  });

  it('lets a client wait whose job cost a worker, until it is replaced; others find the rest', async () => {
    const { ask, pool } = await started(2);
    const order: string[] = [];
    const seen = (name: string) => (): void => void order.push(name);
    expect(await failure(ask('exit', never, 'costly'))).toBeInstanceOf(WorkerCrashError);
    // One of the two is left, and its client has asked first.
    const again = ask('answer', never, 'costly').then(seen('costly'));
    const others = ['another', undefined].map((client) =>
      ask('answer', never, client).then(seen('other')),
    );
    await Promise.all([again, ...others]);
    expect(order).toEqual(['other', 'other', 'costly']);
    expect(pool.stats()).toMatchObject({ idle: 2, waiting: 0 });
    await ask('answer', never, 'costly');
  });

  it('a client that waits for a worker to be replaced may leave', async () => {
    const { ask } = await started(2);
    await failure(ask('exit', never, 'costly'));
    const leave = new AbortController();
    const waiting = failure(ask('answer', leave.signal, 'costly'));
    leave.abort(new Error('gone'));
    expect(await waiting).toMatchObject({ message: 'gone' });
    expect(await failure(ask('answer', leave.signal, 'costly'))).toMatchObject({ message: 'gone' });
  });

  it('waits for the job that runs when it is closed, and fails those that wait', async () => {
    const { ask, pool } = await started();
    const running = ask('answer');
    const waiting = failure(ask('answer'));
    const closed = pool.close();
    expect(await running).toMatch(/^\d+$/);
    expect(await waiting).toBeInstanceOf(WorkersUnavailableError);
    await closed;
    expect(() => process.kill(Number(running), 0)).toThrow();
    expect(await failure(ask('answer'))).toBeInstanceOf(WorkersUnavailableError);
  });

  it('does not start without workers that are ready', async () => {
    const file = program('worker-that-fails');
    const log = (): void => undefined;
    const pool = new WorkerPool({ size: 1, budget: ROOMY, file, log });
    onTestFinished(() => pool.close());
    await expect(pool.start()).rejects.toBeInstanceOf(WorkersUnavailableError);
    const input = { source: '', language: { bundled: 'core' } } as const;
    // After some attempts it says so, instead of letting its callers wait.
    const job = pool.run('imports', () => input, { signal: never });
    await expect(job).rejects.toBeInstanceOf(WorkersUnavailableError);
  });
});

describe('the span of a job', () => {
  let telemetry: InMemoryTelemetry | undefined;
  afterEach(() => telemetry?.close());

  it('says what failed, and tells no paths', async () => {
    telemetry = new InMemoryTelemetry();
    const { ask } = await started(1, { timeMs: 2_000 });
    await ask('answer');
    for (const deed of ['hang', 'exit', 'throw']) await failure(ask(deed));
    const types = telemetry.spans.map(({ attributes }) => attributes['error.type']);
    expect(types).toEqual([undefined, 'WorkLimitError', 'WorkerCrashError', 'ToolchainBugError']);
    for (const { name, attributes, events, status } of telemetry.spans) {
      expect(name).toBe('toolchain job');
      expect(events.map((event) => event.name)).toEqual(['worker assigned']);
      expect(JSON.stringify([attributes, events, status])).not.toContain('/');
    }
  });
});
