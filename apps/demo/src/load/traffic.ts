import { setTimeout as sleep } from 'node:timers/promises';
import type { Hardening } from '../service/service.ts';

/** The kinds of background calls. */
const TRAFFIC_KINDS = ['fetch', 'compile', 'check', 'lsp'] as const;
type TrafficKind = (typeof TRAFFIC_KINDS)[number];

/** Calls per second of each kind. */
export type Load = Readonly<Partial<Record<TrafficKind, number>>>;

/** Starts one call of each kind; the promise rejects when the call fails. */
type Callers = Readonly<Record<TrafficKind, (signal: AbortSignal) => Promise<unknown>>>;

/** Packages to fetch: dependency trees of one to seven packages. */
const WANTED = [
  ['std.core', '^1.0.0'],
  ['std.math', '^1.1.0'],
  ['std.text', '^1.0.0'],
  ['std.sequence', '^1.0.0'],
  ['std.stats', '^1.0.0'],
  ['std.report', '^1.0.0'],
] as const;

const PROGRAMS = [
  'fn gcd(a: int, b: int): int {\n  if b == 0 { return a }\n  return gcd(b, a % b)\n}\nprint(gcd(1071, 462))\n',
  'let total = 0\nfor i from 1 to 100 {\n  if i % 3 == 0 or i % 5 == 0 { total = total + i }\n}\nprint(total)\n',
  'fn power(base: int, n: int): int {\n  if n == 0 { return 1 }\n  return base * power(base, n - 1)\n}\nprint(power(2, 20))\n',
] as const;

const READER = {
  name: 'Reader',
  methods: {
    read: { parameters: ['int'], result: 'string' },
    close: { parameters: [], optional: true },
  },
} as const;

/** Callers that rotate through fixed inputs, so that a run is repeatable. */
export function ordinaryCallers(hardening: Hardening): Callers {
  let turn = 0;
  const next = <T>(list: readonly T[]): T => list[turn++ % list.length] as T;
  const program = (target: 'c' | 'output') => ({
    language: { bundled: 'core' } as const,
    source: next(PROGRAMS),
    packages: new Map(),
    target,
  });
  return {
    fetch: (signal) => {
      const [name, range] = next(WANTED);
      return hardening.registry.fetchPackage(name, range, { signal, actor: 'load' });
    },
    compile: (signal) =>
      hardening.ast.generateCode(program('c'), 'load', { signal, actor: 'load' }),
    check: (signal) => {
      const question = {
        name: 'File',
        structure: { methods: { read: { parameters: ['int'], result: 'string' } } },
        definitions: [READER],
        against: ['Reader'],
      };
      return hardening.protocols.check(question, 'load', { signal, actor: 'load' });
    },
    lsp: (signal) => {
      const question = { text: next(PROGRAMS), language: 'core', document: 'load' };
      return hardening.lsp.request(next(['diagnostics', 'symbols', 'tokens']), question, {
        signal,
        actor: 'load',
      });
    },
  };
}

const TICK_MS = 25;
/** Maximum number of calls in flight. Calls beyond it are dropped, not queued. */
const MAX_UNDER_WAY = 200;

/** Generates calls at constant rates, independent of their outcomes. */
export class Traffic {
  readonly #callers: Callers;
  readonly #stop = new AbortController();
  readonly #underWay = new Set<Promise<unknown>>();
  #load: Load = {};
  #owed: Partial<Record<TrafficKind, number>> = {};
  #running: Promise<void> | undefined;

  constructor(callers: Callers) {
    this.#callers = callers;
  }

  get load(): Load {
    return this.#load;
  }

  /** Sets the rates. The first call starts the traffic. */
  set(load: Load): void {
    this.#load = load;
    this.#owed = {};
    this.#running ??= this.#run();
  }

  /** Waits for the calls that are in flight now. */
  async settled(): Promise<void> {
    await Promise.allSettled([...this.#underWay]);
  }

  /** Starts no more calls, aborts those in flight and waits for them. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#running;
    await this.settled();
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop;
    let before = performance.now();
    while (!signal.aborted) {
      await sleep(TICK_MS, undefined, { signal, ref: true }).catch(() => undefined);
      const now = performance.now();
      // Calls missed during a stall are not made later.
      const elapsed = Math.min(now - before, 10 * TICK_MS) / 1_000;
      before = now;
      for (const kind of TRAFFIC_KINDS) {
        const owed = (this.#owed[kind] ?? 0) + elapsed * (this.#load[kind] ?? 0);
        const calls = Math.floor(owed);
        this.#owed[kind] = owed - calls;
        for (let call = 0; call < calls && !signal.aborted; call++) this.#begin(kind);
      }
    }
  }

  #begin(kind: TrafficKind): void {
    if (this.#underWay.size >= MAX_UNDER_WAY) return;
    // Outcomes are reported through `hardening.onOperation`.
    const call = this.#callers[kind](this.#stop.signal)
      .catch(() => undefined)
      .finally(() => this.#underWay.delete(call));
    this.#underWay.add(call);
  }
}
