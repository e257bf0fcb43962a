import { ManualClock, settle } from '@temper/testkit/clock';
import { expect, it } from 'vitest';
import { circuitBreaker } from '../circuit-breaker.ts';
import { MemoryBreakerStore } from './memory-store.ts';
import { sharedCircuit } from './shared-circuit.ts';

it('forceOpen() counts for the quorum, also where the fleet had opened the circuit before', async () => {
  const clock = new ManualClock();
  const store = new MemoryBreakerStore(clock);
  const nodes = ['a', 'b', 'c'].map((node) =>
    circuitBreaker({ clock, shared: sharedCircuit({ store, node }) }),
  );
  const states = (): string[] => nodes.map(({ state }) => state);
  const openNodes = (): unknown => nodes[2]?.stats().shared?.fleet?.openNodes;
  /** Each makes calls, so that all report and learn the state of the fleet. */
  const hear = async (): Promise<void> => {
    for (let i = 0; i < 2; i++) {
      clock.jump(1000);
      for (const node of nodes) await node.tryExecute(async () => 'ok');
      await settle();
    }
  };
  await hear();
  nodes[0]?.forceOpen();
  await settle();
  expect(states()).toEqual(['open', 'closed', 'closed']);
  nodes[1]?.forceOpen();
  await hear();
  expect(states()).toEqual(['open', 'open', 'open']);
  expect(openNodes()).toBe(2);
  nodes[2]?.forceOpen();
  await hear();
  expect(openNodes()).toBe(3);
});
