import { setTimeout as sleep } from 'node:timers/promises';
import { messageOf } from '@temper/core/policy';
import type { Fault } from '@temper/registry';
import type { RegistryFaults } from '../service/registry-faults.ts';
import type { FaultSource } from './fault.ts';

/** Routes that a package fetch uses. The others serve health checks and publishing. */
const FETCHING = [
  '/packages/:name',
  '/packages/:name/versions',
  '/packages/:name/resolve',
  '/packages/:name/:version',
  '/packages/:name/:version/download',
] as const;

/** Latency of the slow registry: longer than the attempt timeout of 2 s. */
const SLOW_MS = 2_600;
/**
 * Alternating down and up times of the flapping registry: three outages that retries bridge, then one
 * that is too long for them.
 */
const FLAPS_MS = [200, 900, 200, 900, 200, 900, 1_500, 1_500] as const;

/** An error for every fetch and every health check, as two faults with separate hit counters. */
const OUTAGE: readonly Fault[] = [
  { kind: 'error', status: 503, routes: FETCHING },
  { kind: 'error', status: 503, routes: ['/health'] },
];

/** Time between two steps of the slow leak, in milliseconds. */
const LEAK_STEP_MS = 500;
/** Steps until the leak has its full size, after 25 s. */
const LEAK_STEPS = 50;
/** Full size: share of the requests that fail, and latency of the others in milliseconds. */
const LEAK = { failing: 0.2, latencyMs: 30 } as const;

/** The longer it lasts, the more requests fail and the slower the others are. */
function leakAt(step: number): readonly Fault[] {
  const size = Math.min(step, LEAK_STEPS) / LEAK_STEPS;
  return [
    { kind: 'latency', latencyMs: Math.round(LEAK.latencyMs * size), routes: FETCHING },
    { kind: 'error', status: 503, probability: LEAK.failing * size, routes: FETCHING },
  ];
}

type RegistryFaultName =
  | 'slow-leak'
  | 'registry-outage'
  | 'registry-refused'
  | 'slow-registry'
  | 'corrupt-packages'
  | 'flapping';

/** Faults that the registry process injects into its own responses. */
export function registryFaultSources(
  registry: RegistryFaults,
  log: (line: string) => void,
): Readonly<Record<RegistryFaultName, FaultSource>> {
  const on = new Map<RegistryFaultName, readonly Fault[]>();
  let last: Promise<unknown> = Promise.resolve();
  /** Sends the current faults to the registry, one request at a time, so that the last change wins. */
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
      title: 'Registry unreachable',
      about: 'The registry refuses connections.',
      runbook: 'circuit_breaker_open',
      ...lasting('registry-refused', [{ kind: 'refuse' }]),
    },
    'slow-registry': {
      title: 'Slow registry',
      about: `Every response takes ${SLOW_MS / 1000} s; an attempt times out after 2 s.`,
      runbook: 'slow_response',
      ...lasting('slow-registry', [{ kind: 'latency', latencyMs: SLOW_MS, routes: FETCHING }]),
    },
    'slow-leak': {
      title: 'Slow leak',
      about:
        'Over 25 s the registry becomes slower and fails more often. Retries hide it at first.',
      runbook: 'slow_response',
      kind: 'switch',
      begin: async (signal) => {
        const leak = async (): Promise<void> => {
          for (let step = 1; step <= LEAK_STEPS && !signal.aborted; step += 1) {
            on.set('slow-leak', leakAt(step));
            await apply();
            await sleep(LEAK_STEP_MS, undefined, { signal });
          }
        };
        leak().catch((error: Error) => {
          if (!signal.aborted) log(`slow leak: ${messageOf(error)}`);
        });
        return undefined;
      },
      end: async () => {
        on.delete('slow-leak');
        await apply();
      },
    },
    'corrupt-packages': {
      title: 'Corrupt packages',
      about: 'One byte of every downloaded package is wrong, so that its checksum does not match.',
      runbook: 'persistent_errors',
      ...lasting('corrupt-packages', [
        { kind: 'corrupt', routes: ['/packages/:name/:version/download'] },
      ]),
    },
    flapping: {
      title: 'Flapping registry',
      about: 'The registry goes down repeatedly, mostly for 200 ms, sometimes for 1.5 s.',
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
          if (!signal.aborted) log(`flapping: ${messageOf(error)}`);
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
