import { setTimeout as sleep } from 'node:timers/promises';
import { bundledDefinition } from '@temper/parsercraft';
import type { Hardening } from '../service/service.ts';

/** Kinds of ordinary work, as the users of a ParserCraft do it. */
const TRAFFIC_KINDS = ['fetch', 'compile', 'check', 'lsp'] as const;
type TrafficKind = (typeof TRAFFIC_KINDS)[number];

/** Calls per second of each kind. */
export type Load = Readonly<Partial<Record<TrafficKind, number>>>;

/** One call of each kind; it rejects when the call failed. */
type Callers = Readonly<Record<TrafficKind, (signal: AbortSignal) => Promise<unknown>>>;

/** Packages that are fetched with all they need: trees of one to seven packages. */
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

/** Ordinary work against the guards, in turn: repeatable, and every package gets its share. */
export function ordinaryCallers(hardening: Hardening): Callers {
  let turn = 0;
  const next = <T>(list: readonly T[]): T => list[turn++ % list.length] as T;
  const program = (target: 'c' | 'output') => ({
    definition: bundledDefinition('core'),
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
/** Calls under way beyond which no more are begun: a load that waits is not a load. */
const MAX_UNDER_WAY = 200;

/** Ordinary work at steady rates, whatever becomes of the calls. */
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

  /** Changes the rates; with the first, the traffic begins. */
  set(load: Load): void {
    this.#load = load;
    this.#owed = {};
    this.#running ??= this.#run();
  }

  /** Waits for the calls that are under way now. */
  async settled(): Promise<void> {
    await Promise.allSettled([...this.#underWay]);
  }

  /** Begins no more calls, gives up those under way, and waits for them. */
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
      // After a stall the calls that were missed are not made up for.
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
    // How a call ends is told to whoever listens to the guards.
    const call = this.#callers[kind](this.#stop.signal)
      .catch(() => undefined)
      .finally(() => this.#underWay.delete(call));
    this.#underWay.add(call);
  }
}
