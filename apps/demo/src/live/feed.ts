import { monitorEventLoopDelay, performance } from 'node:perf_hooks';
import type { Demo } from '../demo.ts';
import { withoutInnerPlaces } from '../http/inner-places.ts';
import { publicTrace } from '../http/public-trace.ts';
import type { Telemetry } from '../telemetry/start.ts';
import type { TraceView } from '../telemetry/trace-ring.ts';
import type { EventHub } from './hub.ts';
import { OperationMeter, shownStatus } from './operation-meter.ts';
import { auditView, healthView, type OperationView, operationView } from './views.ts';

const BATCH_MS = 200;
const SECOND_MS = 1_000;
/** Maximum number of operations per batch with details. All operations are counted. */
const MAX_SAMPLES = 30;
/** Maximum number of traces published per second; failed traces come first. */
const MAX_TRACES = 4;
const MAX_AUDIT_EVENTS = 20;
const HISTORY_SECONDS = 120;

/** Publishes events of the service to the hub: changes immediately, levels and percentiles each second. */
export class Feed implements Disposable {
  readonly meter: OperationMeter = new OperationMeter();
  readonly #demo: Demo;
  readonly #hub: EventHub;
  readonly #stack = new DisposableStack();
  readonly #delay: ReturnType<typeof monitorEventLoopDelay> = monitorEventLoopDelay({
    resolution: 20,
  });
  readonly #history: unknown[] = [];
  #samples: OperationView[] = [];
  #counts: Record<string, Record<string, number>> = {};
  #traces: TraceView[] = [];
  #utilization = performance.eventLoopUtilization();
  #auditSequence: number;
  #busy = false;
  #turnedAway = 0;
  #health = '';

  constructor(demo: Demo, telemetry: Telemetry, hub: EventHub) {
    this.#demo = demo;
    this.#hub = hub;
    const { service, faults } = demo;
    this.#auditSequence = service.audit.log.stats().sequence;
    this.#delay.enable();
    this.#stack.defer(() => this.#delay.disable());
    this.#stack.use(
      service.hardening.onOperation((event) => {
        this.meter.add(event);
        this.#counts[event.operation] ??= {};
        const byStatus = this.#counts[event.operation] as Record<string, number>;
        const status = shownStatus(event);
        byStatus[status] = (byStatus[status] ?? 0) + 1;
        if (this.#samples.length < MAX_SAMPLES) this.#samples.push(operationView(event));
      }),
    );
    for (const breaker of Object.values(service.hardening.policies.breakers)) {
      this.#stack.use(
        breaker.onStateChange(({ policy, from, to, reason, at, openMs }) =>
          hub.publish('breaker', { breaker: policy, from, to, reason, at, openMs }),
        ),
      );
    }
    this.#stack.use(faults.onChange((state) => hub.publish('fault', state)));
    const off = telemetry.traces?.onTrace((trace) => {
      if (this.#traces.length < 50) this.#traces.push(publicTrace(trace));
    });
    if (off !== undefined) this.#stack.defer(off);
    const batches = setInterval(() => this.#batch(), BATCH_MS).unref();
    const seconds = setInterval(() => this.#second(), SECOND_MS).unref();
    this.#stack.defer(() => clearInterval(batches));
    this.#stack.defer(() => clearInterval(seconds));
  }

  /** One entry per second of the last two minutes, for new listeners. */
  history(): readonly unknown[] {
    return this.#history;
  }

  /** Counts a request that the rate limit of the clients refused. It does not reach an operation. */
  turnAway(): void {
    this.#turnedAway += 1;
  }

  [Symbol.dispose](): void {
    this.#stack.dispose();
  }

  #batch(): void {
    if (Object.keys(this.#counts).length === 0) return;
    this.#hub.publish('operations', { counts: this.#counts, samples: this.#samples });
    this.#counts = {};
    this.#samples = [];
  }

  #second(): void {
    const second = this.#levels();
    this.#history.push(second);
    if (this.#history.length > HISTORY_SECONDS) this.#history.shift();
    this.#hub.publish('second', second);
    const traces = this.#traces.toSorted((a, b) => Number(b.failed) - Number(a.failed));
    this.#traces = [];
    for (const trace of traces.slice(0, MAX_TRACES)) this.#hub.publish('trace', trace);
    // The audit log and the health checks are read only while there are listeners.
    if (this.#hub.listeners === 0 || this.#busy) return;
    this.#busy = true;
    void this.#look().finally(() => {
      this.#busy = false;
    });
  }

  #levels() {
    const { hardening, lsp, tap, audit } = this.#demo.service;
    const { breakers, limiters } = hardening.policies;
    const operations = this.meter.take();
    const all = Object.values(operations);
    const utilization = performance.eventLoopUtilization(this.#utilization);
    this.#utilization = performance.eventLoopUtilization();
    const memory = process.memoryUsage();
    const auditStats = audit.log.stats();
    const second = {
      at: Date.now(),
      operations,
      calls: all.reduce((sum, { calls }) => sum + calls, 0),
      /** Successful and degraded answers. */
      goodput: all.reduce((sum, { successes, degraded }) => sum + successes + degraded, 0),
      turnedAway: this.#turnedAway,
      breakers: Object.fromEntries(
        Object.entries(breakers).map(([name, breaker]) => {
          const { state, retryAfterMs, window } = breaker.stats();
          return [name, { state, retryAfterMs, window }];
        }),
      ),
      limiters: Object.fromEntries(
        Object.entries(limiters).map(([name, limiter]) => {
          const { remaining, limit } = limiter.peek();
          return [name, { remaining, limit }];
        }),
      ),
      registryRequests: tap.counts().requests,
      lsp: { state: lsp.process.state, restarts: lsp.process.restarts },
      audit: {
        state: auditStats.state,
        sequence: auditStats.sequence,
        pending: auditStats.pending,
        degraded: auditStats.degraded,
        refused: auditStats.refused,
      },
      memory: { rss: memory.rss, heapUsed: memory.heapUsed },
      eventLoop: {
        utilization: Math.round(utilization.utilization * 1_000) / 1_000,
        p99Ms: Math.round(this.#delay.percentile(99) / 1e4) / 100,
      },
      listeners: this.#hub.listeners,
    };
    this.#delay.reset();
    this.#turnedAway = 0;
    return second;
  }

  async #look(): Promise<void> {
    const { service } = this.#demo;
    await Promise.allSettled([
      (async () => {
        const { sequence } = service.audit.log.stats();
        if (sequence === this.#auditSequence) return;
        const fromSequence = Math.max(this.#auditSequence + 1, sequence - MAX_AUDIT_EVENTS + 1);
        this.#auditSequence = sequence;
        const { events } = await service.audit.log.query({
          fromSequence,
          order: 'asc',
          limit: MAX_AUDIT_EVENTS,
        });
        if (events.length > 0) this.#hub.publish('audit', { events: events.map(auditView) });
      })(),
      (async () => {
        const health = withoutInnerPlaces(await healthView(service));
        const key = JSON.stringify([
          health.status,
          health.ready,
          Object.values(health.checks).map(({ status }) => status),
          health.children,
        ]);
        if (key === this.#health) return;
        this.#health = key;
        this.#hub.publish('health', health);
      })(),
    ]);
  }
}
