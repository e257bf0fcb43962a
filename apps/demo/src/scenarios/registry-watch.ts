import { setTimeout as sleep } from 'node:timers/promises';
import type { FaultStatus } from '@temper/registry';
import type { Demo } from '../demo.ts';
import type { ScenarioObserver } from './scenario.ts';

/** Requests in flight when the circuit opens have arrived after this time, in milliseconds. */
const SETTLE_MS = 400;
/** How long before the next trial call the registry's counters are read again, in milliseconds. */
const BEFORE_TRIAL_MS = 300;

/**
 * Measures on both sides of the network whether an open circuit keeps requests from the registry: in
 * this process, where requests start, and in the registry, by the hit counters of its faults. The
 * registry cannot count requests while it refuses connections.
 */
export function watchRegistry({ service }: Demo): ScenarioObserver {
  const { tap, registryFaults, hardening } = service;
  const breaker = hardening.policies.breakers.registry_fetch;
  let openedAt: number | undefined;
  let begunWhileOpen = 0;
  let openMs = 0;
  let requestsSeenByRegistry = 0;
  let looks = 0;
  const pending = new Set<Promise<void>>();

  const lookWhileOpen = async (forMs: number): Promise<void> => {
    const gap = forMs - SETTLE_MS - BEFORE_TRIAL_MS;
    if (gap <= 0) return;
    await sleep(SETTLE_MS);
    const before = fetchHits(await registryFaults.status());
    await sleep(gap);
    const after = fetchHits(await registryFaults.status());
    // No fault was on at one of the two reads, or the faults changed in between.
    if (before === undefined || after === undefined || after < before) return;
    if (breaker.state !== 'open') return;
    looks += 1;
    requestsSeenByRegistry += after - before;
  };

  const stack = new DisposableStack();
  stack.use(
    tap.onRequest(({ attemptStartedAt }) => {
      // Attempts that started before the circuit opened may finish.
      if (breaker.state === 'open' && openedAt !== undefined && attemptStartedAt > openedAt) {
        begunWhileOpen += 1;
      }
    }),
  );
  stack.use(
    breaker.onStateChange(({ from, to, openMs: forMs }) => {
      const now = performance.now();
      if (from === 'open' && openedAt !== undefined) openMs += now - openedAt;
      openedAt = to === 'open' ? now : undefined;
      if (to !== 'open' || forMs === undefined) return;
      const look = lookWhileOpen(forMs)
        .catch(() => undefined)
        .finally(() => pending.delete(look));
      pending.add(look);
    }),
  );
  return {
    finish: async () => {
      await Promise.all(pending);
      stack.dispose();
      return {
        circuitOpenMs: Math.round(openMs),
        requestsBegunWhileOpen: begunWhileOpen,
        registryLooksWhileOpen: looks,
        requestsSeenByRegistryWhileOpen: requestsSeenByRegistry,
        requestsInAll: tap.counts().requests,
      };
    },
  };
}

/** Hits of the fault on the fetch routes; undefined when there is none or hits are not counted. */
function fetchHits({ faults, listening }: FaultStatus): number | undefined {
  const [fetching] = faults.filter((fault) => 'routes' in fault && fault.routes !== undefined);
  return listening ? fetching?.hits : undefined;
}
