import { ManualClock } from '../manual-clock.ts';
import { Callers } from './callers.ts';
import { randomFor } from './chance.ts';
import { Dependency } from './dependency.ts';
import { foreignPromise } from './foreign-promise.ts';
import { Network } from './network.ts';
import type { SimulationOptions } from './options.ts';
import { Outages } from './outages.ts';
import { SimulationReport } from './report.ts';
import type { TraceEvent } from './trace.ts';

/** How long calls are made after the last outage, or without one, in milliseconds. */
const AFTERWARDS_MS = 60_000;
/** How long what is under way at the end may take, in milliseconds. */
const SETTLING_MS = 600_000;

/** An answer of the dependency. */
class Answer {
  readonly atMs: number;
  constructor(atMs: number) {
    this.atMs = atMs;
  }
}

/**
 * Runs callers, a pipeline, a network and a dependency in virtual time, and reports what became of the calls.
 * Everything that chance decides follows from the seed.
 *
 * ```ts
 * const report = await simulate({
 *   pipeline: ({ clock, random }) => pipeline({ clock }, retry({ clock, random }), circuitBreaker({ clock })),
 *   outage: { kind: 'error', startMs: 10_000, durationMs: 20_000 },
 * });
 * report.recoveryMs;
 * ```
 *
 * @throws {RangeError} (as a rejection) when a share is not from 0 to 1, or a duration or rate not > 0
 */
export async function simulate(options: SimulationOptions): Promise<SimulationReport> {
  checkOptions(options);
  const { seed = 1, foreignPromises = 0, events = [], onOperation } = options;
  const clock = new ManualClock();
  const startedAt = clock.monotonic();
  const elapsed = (): number => clock.monotonic() - startedAt;
  const random = (part: string): (() => number) => randomFor(seed, part);

  const outages = new Outages(options.outage, elapsed, random('outages'));
  const network = new Network(clock, random('network'), outages, options.network);
  const dependency = new Dependency(clock, random('dependency'), outages, options.dependency);
  const world = { clock, random: random('policies'), seed };
  const executor = options.pipeline(world);
  const trace: TraceEvent[] = [];

  let requests = 0;
  const send = (call: number, signal: AbortSignal): Promise<Answer> =>
    new Promise((resolve, reject) => {
      onOperation?.(call);
      const request = requests++;
      trace.push({ atMs: elapsed(), type: 'request', call, request });
      const onAbort = (): void => reject(signal.reason);
      if (signal.aborted) {
        onAbort();
        return;
      }
      signal.addEventListener('abort', onAbort);
      network.request(() => {
        trace.push({ atMs: elapsed(), type: 'arrival', request });
        dependency.take({
          isCancelled: () => signal.aborted,
          answer: (failure) =>
            network.answer(() => {
              trace.push({ atMs: elapsed(), type: 'answer', request, ok: failure === undefined });
              signal.removeEventListener('abort', onAbort);
              if (failure === undefined) resolve(new Answer(elapsed()));
              else reject(failure.error);
            }),
        });
      });
    });
  const foreignRandom = random('foreign promises');
  const operation = (call: number, signal: AbortSignal): PromiseLike<unknown> => {
    const answer = send(call, signal);
    if (foreignPromises === 0 || foreignRandom() >= foreignPromises) return answer;
    return foreignPromise(answer, foreignRandom);
  };

  const durationMs = options.durationMs ?? (outages.endMs ?? 0) + AFTERWARDS_MS;
  const callers = new Callers({
    clock,
    elapsed,
    random: random('callers'),
    options: options.callers ?? {},
    trace,
    execute: (call, callOptions) =>
      executor.execute(({ signal }) => operation(call, signal), callOptions),
    answeredAt: (value) => (value instanceof Answer ? value.atMs : undefined),
  });
  for (const { atMs, run } of events) clock.schedule(() => void run(world), atMs).unref();
  callers.start(durationMs);
  await clock.advance(durationMs);
  await untilQuiet(clock, callers, durationMs);
  return new SimulationReport({
    seed,
    trace,
    durationMs,
    outages,
    capacity: dependency.capacity,
    left: { calls: callers.running, timers: clock.pendingRefed, listeners: callers.listeners },
  });
}

/** Lets what is under way end, in steps, so that a policy without a timer costs nothing. */
async function untilQuiet(clock: ManualClock, callers: Callers, stepMs: number): Promise<void> {
  for (let ms = 0; ms < SETTLING_MS; ms += stepMs) {
    if (callers.running === 0 && clock.pendingRefed === 0 && callers.listeners === 0) return;
    await clock.advance(stepMs);
  }
}

function checkOptions({ callers, network, dependency, ...options }: SimulationOptions): void {
  const outages = [options.outage ?? []].flat();
  share('foreignPromises', options.foreignPromises);
  share('callers.abortShare', callers?.abortShare);
  share('network.loss', network?.loss);
  share('network.duplication', network?.duplication);
  share('dependency.errorRate', dependency?.errorRate);
  for (const outage of outages) share('outage.share', outage.share);
  positive('durationMs', options.durationMs);
  positive('callers.timeoutMs', callers?.timeoutMs);
  if (typeof callers?.perSecond === 'number') positive('callers.perSecond', callers.perSecond);
  positive('dependency.workers', dependency?.workers);
  positive('dependency.serviceMs', dependency?.serviceMs);
  for (const { durationMs } of outages) positive('outage.durationMs', durationMs);
}

function share(option: string, value = 0): void {
  if (!(value >= 0 && value <= 1))
    throw new RangeError(`simulate: ${option} must be from 0 to 1, got ${value}.`);
}

function positive(option: string, value = 1): void {
  if (!(value > 0)) throw new RangeError(`simulate: ${option} must be > 0, got ${value}.`);
}
