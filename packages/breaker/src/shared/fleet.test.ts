import { getEventListeners } from 'node:events';
import { Listeners } from '@temper/core/policy';
import { ManualClock, settle } from '@temper/testkit/clock';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { newCircuit } from '../circuit/circuit.ts';
import { StoreFleet } from './fleet.ts';
import { resolveSharedCircuit } from './options.ts';
import type { BreakerStore, FleetState, NodeReport, TrialGrant } from './store.ts';

/** A store whose answers the test gives, in any order. */
class ScriptedStore implements BreakerStore {
  readonly reports: (PromiseWithResolvers<FleetState> & { readonly message: NodeReport })[] = [];
  readonly takes: PromiseWithResolvers<TrialGrant>[] = [];
  readonly ends: PromiseWithResolvers<FleetState>[] = [];

  report(message: NodeReport): Promise<FleetState> {
    const answer = { ...Promise.withResolvers<FleetState>(), message };
    this.reports.push(answer);
    return answer.promise;
  }
  takeTrial(): Promise<TrialGrant> {
    const answer = Promise.withResolvers<TrialGrant>();
    this.takes.push(answer);
    return answer.promise;
  }
  endTrial(): Promise<FleetState> {
    const answer = Promise.withResolvers<FleetState>();
    this.ends.push(answer);
    return answer.promise;
  }
}

const says = (generation: number, state: FleetState['state'], remainingMs = 0): FleetState => ({
  generation,
  state,
  remainingMs,
  nodes: 3,
  openNodes: 2,
});
const leased = (fleet: FleetState): TrialGrant => ({
  verdict: 'leased',
  lease: 'x',
  retryAfterMs: 0,
  fleet,
});

let clock: ManualClock;
let store: ScriptedStore;
let fleet: StoreFleet;
const node = {
  name: 'payments',
  successThreshold: 2,
  halfOpenMaxDurationMs: 1000,
  circuit: () => newCircuit(0),
  follow: vi.fn((_at: number, _forMs: number) => true),
  close: vi.fn(),
};

beforeEach(() => {
  vi.clearAllMocks();
  clock = new ManualClock();
  store = new ScriptedStore();
  const errors = new Listeners<unknown>('sharedCircuit', 'onStoreError');
  fleet = new StoreFleet({ ...node, clock }, resolveSharedCircuit({ store }), errors);
});

/** Reports, and answers with this state. */
async function hear(state: FleetState): Promise<void> {
  clock.jump(1000);
  fleet.touch(clock.monotonic());
  store.reports.at(-1)?.resolve(state);
  await settle();
}

describe('StoreFleet', () => {
  it('follows an opening once, however often it is reported', async () => {
    await hear(says(1, 'open', 700));
    await hear(says(1, 'open', 690));
    await hear(says(1, 'half-open'));
    expect(node.follow.mock.calls).toEqual([[clock.monotonic() - 2000, 700]]);
    await hear(says(2, 'open', 500));
    expect(node.follow).toHaveBeenLastCalledWith(clock.monotonic(), 500);
  });

  it('closes with the fleet only if it has opened with it', async () => {
    await hear(says(2, 'closed'));
    expect(node.close).not.toHaveBeenCalled();
    await hear(says(3, 'open', 100));
    await hear(says(4, 'closed'));
    expect(node.close).toHaveBeenCalledOnce();
  });

  it('ignores an answer that a newer one has overtaken', async () => {
    fleet.touch(clock.monotonic());
    const trial = fleet.takeTrial(undefined);
    await settle();
    store.takes[0]?.resolve({ ...leased(says(2, 'closed')), verdict: 'alone', lease: undefined });
    await trial;
    store.reports[0]?.resolve(says(1, 'half-open'));
    await settle();
    expect(node.follow).not.toHaveBeenCalled();
  });

  it('ignores an answer to a report from before a change of state, and reports again at once', async () => {
    fleet.touch(clock.monotonic());
    fleet.changed({ state: 'open', openMs: 100 }, 'failures', clock.monotonic());
    expect(store.reports).toHaveLength(1);
    store.reports[0]?.resolve(says(1, 'open', 100));
    await settle();
    expect(node.follow).not.toHaveBeenCalled();
    expect(store.reports.map(({ message }) => message.open)).toEqual([false, true]);
  });

  it('starts again at generation 0 when the store has lost its data', async () => {
    await hear(says(5, 'open', 100));
    await hear(says(0, 'closed'));
    await hear(says(1, 'closed'));
    expect(node.close).not.toHaveBeenCalled();
    await hear(says(2, 'open', 100));
    expect(node.follow).toHaveBeenCalledTimes(2);
    expect(store.reports.at(-1)?.message.generation).toBe(1);
  });

  it('reports open only when the node opened because of its own calls', async () => {
    fleet.changed({ state: 'open', openMs: 100 }, 'fleet', clock.monotonic());
    await hear(says(1, 'open', 100));
    expect(store.reports.at(-1)?.message.open).toBe(false);
    fleet.changed({ state: 'open', openMs: 100 }, 'failures', clock.monotonic());
    expect(store.reports.at(-1)?.message.open).toBe(true);
    store.reports.at(-1)?.resolve(says(1, 'open', 100));
    await settle();
    fleet.changed({ state: 'open', openMs: 100 }, 'fleet', clock.monotonic()); // by the fleet, but it has opened by itself
    await hear(says(1, 'open', 100));
    expect(store.reports.at(-1)?.message.open).toBe(true);
    fleet.changed({ state: 'closed', openMs: 100 }, 'fleet', clock.monotonic());
    await hear(says(2, 'closed'));
    expect(store.reports.at(-1)?.message.open).toBe(false);
  });

  it("neither reports nor asks for a lease before the last trial's result has arrived", async () => {
    const first = fleet.takeTrial(undefined);
    await settle();
    store.takes[0]?.resolve(leased(says(1, 'half-open')));
    await first;
    fleet.endTrial('x', 'success', 0);
    fleet.touch(clock.monotonic() + 5000);
    void fleet.takeTrial(undefined);
    await settle();
    expect([store.takes.length, store.ends.length, store.reports.length]).toEqual([1, 1, 0]);
    store.ends[0]?.resolve(says(1, 'half-open'));
    await settle();
    expect(store.takes).toHaveLength(2);
  });

  it('waits for that result for timeoutMs at most, and not after an abort', async () => {
    const first = fleet.takeTrial(undefined);
    await settle();
    store.takes[0]?.resolve(leased(says(1, 'half-open')));
    await first;
    fleet.endTrial('x', 'success', 0);
    const controller = new AbortController();
    const aborted = fleet.takeTrial(controller.signal);
    const patient = fleet.takeTrial(undefined);
    const reason = new Error('user left');
    controller.abort(reason);
    await expect(aborted).rejects.toBe(reason);
    await clock.advance(250);
    expect(await patient).toEqual({ refused: false, lease: undefined });
  });

  it('leaves no listener on the signal of a call when the store fails', async () => {
    const { signal } = new AbortController();
    const taken = fleet.takeTrial(signal);
    await settle();
    expect(getEventListeners(signal, 'abort')).toHaveLength(1);
    store.takes[0]?.reject(new Error('connection closed'));
    expect(await taken).toEqual({ refused: false, lease: undefined });
    expect(getEventListeners(signal, 'abort')).toEqual([]);
  });

  it('counts one failure for an answer that is late and then fails', async () => {
    fleet.touch(clock.monotonic());
    await clock.advance(250);
    store.reports[0]?.reject(new Error('connection closed'));
    await settle();
    expect(fleet.errors).toBe(1);
  });
});
