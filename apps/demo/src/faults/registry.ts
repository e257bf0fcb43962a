import { setTimeout as sleep } from 'node:timers/promises';
import type { Fault } from '@temper/registry';
import type { RegistryFaults } from '../service/registry-faults.ts';
import type { FaultSource } from './fault.ts';

/** Addresses that a fetch uses; the rest is health and publishing. */
const FETCHING = [
  '/packages/:name',
  '/packages/:name/versions',
  '/packages/:name/resolve',
  '/packages/:name/:version',
  '/packages/:name/:version/download',
] as const;

/** Latency of the slow registry: more than an attempt is given. */
const SLOW_MS = 2_600;
/** How long the flapping registry is down and up, in turn: blips that retries bridge, then more. */
const FLAPS_MS = [200, 900, 200, 900, 200, 900, 1_500, 1_500] as const;

/** An error on every fetch and every health check, counted apart. */
const OUTAGE: readonly Fault[] = [
  { kind: 'error', status: 503, routes: FETCHING },
  { kind: 'error', status: 503, routes: ['/health'] },
];

type RegistryFaultName = 'registry-outage' | 'registry-refused' | 'slow-registry' | 'flapping';

/** Faults that the registry's process makes of itself. */
export function registryFaultSources(
  registry: RegistryFaults,
  say: (line: string) => void,
): Readonly<Record<RegistryFaultName, FaultSource>> {
  const on = new Map<RegistryFaultName, readonly Fault[]>();
  let last: Promise<unknown> = Promise.resolve();
  /** Tells the registry what is on now; one after the other, so that the last word is the last. */
  const apply = (): Promise<void> => {
    const done = last.then(async () => {
      const faults = [...on.values()].flat();
      await (faults.length === 0 ? registry.clear() : registry.set(faults));
    });
    last = done.catch(() => undefined);
    return done;
  };
  const lasting = (
    name: RegistryFaultName,
    faults: readonly Fault[],
  ): Omit<FaultSource, 'title' | 'about' | 'runbook'> => ({
    kind: 'switch',
    begin: async () => {
      on.set(name, faults);
      await apply();
      return undefined;
    },
    end: async () => {
      on.delete(name);
      await apply();
    },
  });
  return {
    'registry-outage': {
      title: 'Registry outage',
      about: 'The registry answers every request with 503.',
      runbook: 'circuit_breaker_open',
      ...lasting('registry-outage', OUTAGE),
    },
    'registry-refused': {
      title: 'Registry gone',
      about: 'Nobody listens on the registry’s port: connections are refused.',
      runbook: 'circuit_breaker_open',
      ...lasting('registry-refused', [{ kind: 'refuse' }]),
    },
    'slow-registry': {
      title: 'Slow registry',
      about: `Every answer takes ${SLOW_MS / 1000} s; an attempt is given 2 s.`,
      runbook: 'slow_response',
      ...lasting('slow-registry', [{ kind: 'latency', latencyMs: SLOW_MS, routes: FETCHING }]),
    },
    flapping: {
      title: 'Flapping registry',
      about: 'The registry is down for moments, and at times for longer, again and again.',
      runbook: 'persistent_errors',
      kind: 'switch',
      begin: async (signal) => {
        const flap = async (): Promise<void> => {
          for (let turn = 0; !signal.aborted; turn += 1) {
            // Even turns are down.
            if (turn % 2 === 0) on.set('flapping', OUTAGE);
            else on.delete('flapping');
            await apply();
            await sleep(FLAPS_MS[turn % FLAPS_MS.length] as number, undefined, { signal });
          }
        };
        flap().catch((error: Error) => {
          if (!signal.aborted) say(`flapping: ${error.message}`);
        });
        return undefined;
      },
      end: async () => {
        on.delete('flapping');
        await apply();
      },
    },
  };
}
