import type { HostileInput } from '../drills/hostile-input.ts';
import type { ShutdownDrill } from '../drills/shutdown.ts';
import type { TrafficSpike } from '../drills/traffic-spike.ts';
import type { FaultSource } from './fault.ts';

const HOSTILE_ROUNDS = 4;
const SPIKE_MS = 12_000;

/** Faults that come from outside, over HTTP, and end by themselves. */
export function drillSources(drills: {
  readonly hostile: HostileInput;
  readonly spike: TrafficSpike;
  readonly shutdown: ShutdownDrill;
}): Readonly<Record<'hostile-input' | 'traffic-spike' | 'shutdown', FaultSource>> {
  return {
    'hostile-input': {
      title: 'Hostile input',
      about: 'Requests that would hurt a service that trusts them, one after the other.',
      runbook: 'persistent_errors',
      kind: 'burst',
      begin: async (signal) => {
        const { sent, asExpected, serverErrors } = await drills.hostile.run(signal, HOSTILE_ROUNDS);
        return `${asExpected} of ${sent} refused as they should be, ${serverErrors} server errors`;
      },
    },
    'traffic-spike': {
      title: 'Traffic spike',
      about: 'One client asks 300 times a second, another as it always does.',
      runbook: 'rate_limit_exceeded',
      kind: 'burst',
      begin: async (signal) => {
        const { greedy, polite } = await drills.spike.run(signal, SPIKE_MS);
        return `the greedy client was limited ${greedy.limited} of ${greedy.sent} times, the polite one ${polite.limited} of ${polite.sent}`;
      },
    },
    shutdown: {
      title: 'Shutdown under load',
      about: 'A second service, under load, is told to end by SIGTERM.',
      runbook: 'persistent_errors',
      kind: 'burst',
      begin: async (signal) => {
        const { sent, failed, endedAfterMs } = await drills.shutdown.run(signal);
        return `${failed} of ${sent} requests failed; it ended after ${endedAfterMs} ms`;
      },
    },
  };
}
