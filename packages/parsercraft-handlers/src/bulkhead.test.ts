import { ManualClock } from '@temper/testkit';
import { describe, expect, it } from 'vitest';
import { fakeSubsystems, type Hardened, hardened } from '../test/subsystems.ts';
import { type OperationOptions, parserCraftHardening } from './index.ts';

/** What a call ended with: its value or the code of its error. */
const ends = (call: Promise<unknown>): Promise<unknown> =>
  call.then(
    () => 'ok',
    (error: { code?: string; reason?: string }) => `${error.code} ${error.reason ?? ''}`.trim(),
  );

/** Makes a subsystem that works on one call at a time, and takes `ms` for each. */
function oneAtATime(
  { clock, script }: Hardened,
  key: 'generate' | 'infer' | 'check' | 'request',
  ms: number,
) {
  const seen = { atOnce: 0, most: 0, calls: 0 };
  let last = Promise.resolve();
  script[key] = ({ signal }) => {
    seen.most = Math.max(seen.most, ++seen.atOnce);
    seen.calls++;
    last = last.then(() => (signal.aborted ? undefined : clock.sleep(ms)));
    return last.finally(() => seen.atOnce--);
  };
  return seen;
}

const CALLS = {
  generate: [
    'ast_codegen',
    (it: Hardened, own?: OperationOptions) => it.made.ast.generateCode('p', 'p', own),
  ],
  infer: [
    'ast_codegen',
    (it: Hardened, own?: OperationOptions) => it.made.ast.inferTypes('p', 'p', own),
  ],
  check: [
    'protocol_check',
    (it: Hardened, own?: OperationOptions) => it.made.protocols.check('p', 'p', own),
  ],
} as const;

describe('a healthy subsystem that works on one call at a time', () => {
  it.each(Object.entries(CALLS))(
    'keeps its circuit closed under any number of calls of %s',
    async (key, [breaker, call]) => {
      const it = hardened();
      const seen = oneAtATime(it, key as 'generate', 400);
      for (let round = 0; round < 3; round++) {
        const results = await it.clock.runUntil(
          Promise.all(Array.from({ length: 60 }, () => ends(call(it)))),
        );
        // Five seconds are enough for twelve calls of 400 ms; the last one ends in the next round.
        expect(results.filter((one) => one === 'ok').length).toBeGreaterThanOrEqual(11);
      }
      expect(seen.most).toBe(1);
      expect(it.made.policies.breakers[breaker].state).toBe('closed');
      expect(it.made.policies.breakers[breaker].stats().calls).toMatchObject({ failure: 0 });
    },
  );

  it('keeps its circuit closed when every call gets its turn too late to finish', async () => {
    const it = hardened({ settings: { breakers: { ast_codegen: { failureThreshold: 1 } } } });
    oneAtATime(it, 'generate', 400);
    const results: Promise<unknown>[] = [];
    // More calls than it can ever work on, for a minute.
    for (let at = 0; at < 60_000; at += 100) {
      results.push(ends(it.made.ast.generateCode('p')));
      await it.clock.advance(100);
    }
    await it.clock.advance(10_000);
    const ended = await Promise.all(results);
    expect(ended.filter((one) => one === 'DEADLINE_EXCEEDED').length).toBeGreaterThan(10);
    expect(ended.filter((one) => one === 'CIRCUIT_OPEN')).toHaveLength(0);
    expect(it.made.policies.breakers.ast_codegen.state).toBe('closed');
  });

  it('counts as failed when callers who waited for little end at their deadline', async () => {
    const it = hardened();
    it.script.generate = ({ signal }) => it.clock.sleep(60_000, signal);
    for (let i = 0; i < 10; i++) {
      await it.clock.runUntil(ends(it.made.ast.generateCode('p', 'p', { timeoutMs: 1000 })));
    }
    expect(it.made.policies.breakers.ast_codegen.state).toBe('open');
  });

  it('fails when it hangs: the time of an attempt starts with its turn', async () => {
    const it = hardened({ settings: { plans: { ast_codegen: { attemptTimeoutMs: 100 } } } });
    it.script.generate = () => new Promise(() => {});
    const calls = Array.from({ length: 12 }, () => ends(it.made.ast.generateCode('p')));
    const results = await it.clock.runUntil(Promise.all(calls));
    expect(results.slice(0, 10)).toEqual(Array(10).fill('OPERATION_TIMEOUT'));
    expect(results.slice(10)).toEqual(['CIRCUIT_OPEN', 'CIRCUIT_OPEN']);
  });
});

/** A clock that can be ahead of its timers, as after a stall of the event loop. */
function lateClock() {
  const manual = new ManualClock();
  const late = {
    manual,
    aheadMs: 0,
    now: () => manual.now(),
    monotonic: () => manual.monotonic() + late.aheadMs,
    sleep: manual.sleep.bind(manual),
    schedule: manual.schedule.bind(manual),
  };
  return late;
}

describe('a call that gets no turn in time', () => {
  it('is refused, before its deadline ends it', async () => {
    const it = hardened();
    it.script.generate = () => new Promise(() => {});
    const first = ends(it.made.ast.generateCode('p'));
    await it.clock.advance(10);
    const second = ends(it.made.ast.generateCode('p', 'p', { timeoutMs: 1_000 }));
    expect(await it.clock.runUntil(second)).toMatch(/^RATE_LIMIT_EXCEEDED /);
    expect(await it.clock.runUntil(first)).not.toBe('ok');
  });

  it.each(Array.from({ length: 30 }, (_, microtasks) => microtasks))(
    'is never an error of an option: its deadline passes %i microtasks after a turn is free',
    async (microtasks) => {
      const { subsystems, script } = fakeSubsystems();
      const clock = lateClock();
      const bulkheads = { lsp: { limit: 2, share: 0.5 } };
      const made = parserCraftHardening(subsystems, { clock, settings: { bulkheads } });
      const open: (() => void)[] = [];
      script.request = () => new Promise<void>((resolve) => open.push(resolve));
      const [first, second] = [1, 2].map(() => ends(made.lsp.request('hover', {}, { key: 'ann' })));
      await clock.manual.advance(0);
      open[0]?.();
      for (let at = 0; at < microtasks; at += 1) await undefined;
      clock.aheadMs = 6_000;
      expect(await first).toBe('ok');
      await clock.manual.advance(6_000);
      expect(await second).toMatch(/^(RATE_LIMIT|DEADLINE)_EXCEEDED/);
    },
  );
});

describe('a key', () => {
  const half = { limit: 2, share: 0.5, maxQueue: 4 };

  it('gets no more than its share of a bulkhead, and others pass at once', async () => {
    const it = hardened({ settings: { bulkheads: { lsp: half } } });
    const open: (() => void)[] = [];
    it.script.request = () => new Promise<void>((resolve) => open.push(resolve));
    const greedy = Array.from({ length: 9 }, () =>
      ends(it.made.lsp.request('hover', {}, { key: 'greedy' })),
    );
    await it.clock.advance(0);
    expect(it.calls.request).toBe(1);
    const polite = ends(it.made.lsp.request('hover', {}, { key: 'polite' }));
    await it.clock.advance(0);
    expect(it.calls.request).toBe(2);
    open[1]?.();
    expect(await polite).toBe('ok');
    // One runs, four wait, four were refused.
    expect((await Promise.all(greedy.slice(5))).join()).toBe(
      Array(4).fill('RATE_LIMIT_EXCEEDED queue-full').join(),
    );
    for (let i = 0; i < 12; i++) {
      for (const one of open) one();
      await it.clock.advance(0);
    }
    expect(await Promise.all(greedy.slice(0, 5))).toEqual(Array(5).fill('ok'));
    expect(it.made.policies.bulkheads.lsp.stats()).toMatchObject({ inFlight: 0, queued: 0 });
  });

  it('gets no more than its share of a rate limit, by cost', async () => {
    const it = hardened({
      settings: { limiters: { registry_query: { limit: 40, burst: 40, share: 0.25 } } },
    });
    const fetchAs = (key: string, cost = 1) =>
      ends(it.made.registry.fetchPackage('a', '*', { key, cost }));
    expect(await fetchAs('greedy', 8)).toBe('ok');
    expect(await fetchAs('greedy', 2)).toBe('ok');
    for (let i = 0; i < 50; i++) expect(await fetchAs('greedy')).toBe('RATE_LIMIT_EXCEEDED limit');
    for (const key of ['ada', 'grace', 'barbara']) {
      for (let i = 0; i < 10; i++) expect(await fetchAs(key), key).toBe('ok');
    }
    // What all keys together may use is the limit.
    expect(await fetchAs('late')).toBe('RATE_LIMIT_EXCEEDED limit');
  });

  it('may be left out: such calls are bounded by the limit alone', async () => {
    const it = hardened({
      settings: { bulkheads: { lsp: half }, limiters: { lsp_requests: { share: 0.01 } } },
    });
    for (let i = 0; i < 100; i++) expect(await ends(it.made.lsp.request('hover', {}))).toBe('ok');
    it.script.request = () => new Promise(() => {});
    void Promise.all([1, 2].map(() => ends(it.made.lsp.request('hover', {}))));
    await it.clock.advance(0);
    expect(it.calls.request).toBe(102);
  });

  it('does not make a call of cost 20 twenty calls at the same time', async () => {
    const it = hardened({ settings: { bulkheads: { lsp: half } } });
    expect(await ends(it.made.lsp.request('hover', {}, { key: 'a', cost: 20 }))).toBe('ok');
  });

  it('gives its places back when its calls are aborted while they wait', async () => {
    const it = hardened({ settings: { bulkheads: { lsp: half } } });
    it.script.request = () => it.clock.sleep(1000);
    const gone = new AbortController();
    const calls = Array.from({ length: 5 }, () =>
      ends(it.made.lsp.request('hover', {}, { key: 'a', signal: gone.signal })),
    );
    await it.clock.advance(10);
    gone.abort(Object.assign(new Error('gone'), { code: 'GONE' }));
    await it.clock.runUntil(Promise.all(calls));
    await it.clock.advance(5000);
    it.script.request = () => 'answer';
    expect(await ends(it.made.lsp.request('hover', {}, { key: 'a' }))).toBe('ok');
    expect(it.made.policies.bulkheads.lsp.stats()).toMatchObject({ inFlight: 0, queued: 0 });
  });
});
