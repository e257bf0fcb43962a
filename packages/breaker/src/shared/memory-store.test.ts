import { ManualClock } from '@temper/testkit/clock';
import { Reach } from '@temper/testkit/repository/reach';
import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import { MemoryBreakerStore } from './memory-store.ts';
import type { FleetState } from './store.ts';

let clock: ManualClock;
let store: MemoryBreakerStore;
beforeEach(() => {
  clock = new ManualClock();
  store = new MemoryBreakerStore(clock);
});

const circuit = 'payments';
const report = (node: string, open: boolean, more: object = {}): Promise<FleetState> =>
  store.report({
    circuit,
    node,
    open,
    generation: 99,
    openMs: open ? 1000 : 0,
    ttlMs: 60_000,
    quorum: 0.5,
    minimumNodes: 2,
    ...more,
  });
const take = (node: string, leaseMs = 500) => store.takeTrial({ circuit, node, leaseMs });
const end = (node: string, lease: string, verdict: 'success' | 'failure' | 'ignored') =>
  store.endTrial({ circuit, node, lease, verdict, openMs: 2000, successThreshold: 2 });

async function openFleet(): Promise<void> {
  for (const node of ['a', 'b', 'c']) await report(node, node !== 'c');
}

describe('the fleet of MemoryBreakerStore', () => {
  it('opens with two open nodes of three, not with one', async () => {
    await report('b', false);
    await report('c', false);
    expect(await report('a', true)).toMatchObject({
      state: 'closed',
      generation: 0,
      nodes: 3,
      openNodes: 1,
    });
    expect(await report('b', true)).toEqual({
      state: 'open',
      generation: 1,
      remainingMs: 1000,
      nodes: 3,
      openNodes: 2,
    });
  });

  it('does not open with one open node of two, or of one', async () => {
    expect(await report('a', true)).toMatchObject({ state: 'closed' });
    await report('b', false);
    expect(await report('a', true)).toMatchObject({ state: 'closed' });
  });

  it('stays open for the longest open time of the open nodes', async () => {
    await report('c', false, { openMs: 9999 });
    await report('a', true, { openMs: 400 });
    expect(await report('b', true, { openMs: 300 })).toMatchObject({ remainingMs: 400 });
    clock.jump(399);
    expect(await report('c', false)).toMatchObject({ state: 'open', remainingMs: 1 });
    clock.jump(1);
    expect(await report('c', false)).toMatchObject({ state: 'half-open', remainingMs: 0 });
  });

  it('ignores nodes whose report has expired', async () => {
    await report('a', true, { ttlMs: 100 });
    clock.jump(100);
    expect(await report('b', true)).toMatchObject({ state: 'closed', nodes: 1, openNodes: 1 });
  });

  it('opens when more than the quorum are open', async () => {
    for (const node of ['a', 'b', 'c', 'd']) await report(node, false, { quorum: 0.5 });
    await report('a', true);
    expect(await report('b', true)).toMatchObject({ state: 'closed' });
    expect(await report('c', true)).toMatchObject({ state: 'open' });
  });

  it('ignores an open report from before the last change', async () => {
    await openFleet();
    clock.jump(1000);
    for (let i = 0; i < 2; i++) await end('a', (await take('a')).lease as string, 'success');
    await report('a', true, { generation: 1 });
    expect(await report('b', true, { generation: 1 })).toMatchObject({
      state: 'closed',
      generation: 2,
      openNodes: 0,
    });
    await report('a', true, { generation: 2 });
    expect(await report('b', true, { generation: 2 })).toMatchObject({ state: 'open' });
  });

  it('keeps circuits of different names apart', async () => {
    await openFleet();
    expect(await report('a', true, { circuit: 'other' })).toMatchObject({
      generation: 0,
      nodes: 1,
    });
  });
});

describe('the trial lease of MemoryBreakerStore', () => {
  it('is not required while the fleet is closed', async () => {
    expect(await take('a')).toMatchObject({ verdict: 'alone', lease: undefined });
  });

  it('is refused while the fleet is open', async () => {
    await openFleet();
    clock.jump(400);
    expect(await take('a')).toMatchObject({ verdict: 'refused', retryAfterMs: 600 });
  });

  it('is granted to one node at a time and expires', async () => {
    await openFleet();
    clock.jump(1000);
    expect(await take('a')).toMatchObject({ verdict: 'leased', lease: '1' });
    expect(await take('b')).toMatchObject({ verdict: 'refused', retryAfterMs: 500 });
    clock.jump(500);
    expect(await take('b')).toMatchObject({ verdict: 'leased', lease: '2' });
    expect(await end('a', '1', 'failure')).toMatchObject({ state: 'half-open', generation: 1 });
  });

  it('reopens the fleet on a failure, for the time that the node gives', async () => {
    await openFleet();
    clock.jump(1000);
    const { lease } = await take('c');
    expect(await end('c', lease as string, 'failure')).toMatchObject({
      state: 'open',
      generation: 2,
      remainingMs: 2000,
    });
  });

  it('closes the fleet after successThreshold successes on any nodes and clears their reports', async () => {
    await openFleet();
    clock.jump(1000);
    const first = await take('a');
    expect(await end('a', first.lease as string, 'success')).toMatchObject({ state: 'half-open' });
    const second = await take('c');
    expect(await end('c', second.lease as string, 'success')).toEqual({
      state: 'closed',
      generation: 2,
      remainingMs: 0,
      nodes: 3,
      openNodes: 0,
    });
  });

  it('has no effect after it has expired, even if no other node took it', async () => {
    await openFleet();
    clock.jump(1000);
    for (let i = 0; i < 2; i++) {
      const { lease } = await take('a');
      clock.jump(500);
      expect(await end('a', lease as string, 'success')).toMatchObject({ state: 'half-open' });
    }
  });

  it('loses its successes when a trial fails', async () => {
    await openFleet();
    clock.jump(1000);
    await end('a', (await take('a')).lease as string, 'success');
    await end('a', (await take('a')).lease as string, 'failure');
    clock.jump(2000);
    const { lease } = await take('a');
    expect(await end('a', lease as string, 'success')).toMatchObject({ state: 'half-open' });
  });

  it('is returned by an ignored trial without further effect', async () => {
    await openFleet();
    clock.jump(1000);
    const { lease } = await take('a');
    await end('a', lease as string, 'ignored');
    expect(await take('b')).toMatchObject({ verdict: 'leased' });
  });

  it('is held by at most one node after any sequence of requests', async () => {
    const node = fc.constantFrom('a', 'b', 'c');
    const step = fc.oneof(
      fc.tuple(fc.constant('take' as const), node),
      fc.tuple(fc.constant('report' as const), node, fc.boolean()),
      fc.tuple(
        fc.constant('end' as const),
        fc.constantFrom(0, 0, 0, 0, 1, 5),
        fc.constantFrom('success', 'success', 'success', 'failure', 'ignored'),
      ),
      fc.tuple(fc.constant('wait' as const), fc.constantFrom(1, 250, 500, 1000)),
    );
    const reach = new Reach('closed', 'open', 'half-open', 'leased', 'refused', 'expired', 'ended');
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
        clock = new ManualClock();
        store = new MemoryBreakerStore(clock);
        const leases: { node: string; lease: string; until: number; over: boolean }[] = [];
        let generation = 0;
        for (const step of steps) {
          let fleet: FleetState | undefined;
          if (step[0] === 'wait') clock.jump(step[1]);
          if (step[0] === 'report') fleet = await report(step[1], step[2]);
          if (step[0] === 'take') {
            const grant = await take(step[1]);
            fleet = grant.fleet;
            reach.count('refused', grant.verdict === 'refused' && fleet.state === 'half-open');
            if (grant.lease !== undefined) {
              const held = leases.filter((l) => !l.over && l.until > clock.monotonic());
              expect(held).toEqual([]);
              reach.count('expired', leases.at(-1)?.over === false);
              reach.count('leased');
              leases.push({
                node: step[1],
                lease: grant.lease,
                until: clock.monotonic() + 500,
                over: false,
              });
            }
          }
          if (step[0] === 'end' && leases.length > 0) {
            // Mostly the newest, which may be in force.
            const lease = leases.at(-1 - (step[1] % leases.length));
            if (lease === undefined) continue;
            fleet = await end(lease.node, lease.lease, step[2]);
            reach.count('ended', !lease.over && lease.until > clock.monotonic());
            lease.over = true;
          }
          expect(fleet?.generation ?? generation).toBeGreaterThanOrEqual(generation);
          if (fleet !== undefined && fleet.generation > generation) reach.count(fleet.state);
          if (fleet?.state === 'half-open') reach.count('half-open');
          generation = fleet?.generation ?? generation;
        }
      }),
      { numRuns: 500 },
    );
    reach.expectAll(5);
  });
});
