import type { AbusiveClient } from '../drills/abusive-client.ts';
import type { HostileInput } from '../drills/hostile-input.ts';
import type { ShutdownDrill } from '../drills/shutdown.ts';
import type { TrafficSpike } from '../drills/traffic-spike.ts';
import type { FaultSource } from './fault.ts';

const HOSTILE_ROUNDS = 4;
const SPIKE_MS = 12_000;
const ABUSE_PART_MS = 6_000;

/** Faults that are HTTP requests to the service and end by themselves. */
export function drillSources(drills: {
  readonly hostile: HostileInput;
  readonly spike: TrafficSpike;
  readonly abuse: AbusiveClient;
  readonly shutdown: ShutdownDrill;
}): Readonly<
  Record<'hostile-input' | 'traffic-spike' | 'abusive-client' | 'shutdown', FaultSource>
> {
  return {
    'hostile-input': {
      title: 'Hostile input',
      about: 'Sends malformed, oversized and malicious requests, one after the other.',
      runbook: 'persistent_errors',
      kind: 'burst',
      begin: async (signal) => {
        const { sent, asExpected, serverErrors } = await drills.hostile.run(signal, HOSTILE_ROUNDS);
        return `${asExpected} of ${sent} requests handled as expected, ${serverErrors} server errors`;
      },
    },
    'traffic-spike': {
      title: 'Traffic spike',
      about: 'One client sends 300 requests per second; another sends its usual 8.',
      runbook: 'rate_limit_exceeded',
      kind: 'burst',
      begin: async (signal) => {
        const { greedy, polite } = await drills.spike.run(signal, SPIKE_MS);
        return `rate-limited ${greedy.limited} of ${greedy.sent} requests of the greedy client and ${polite.limited} of ${polite.sent} of the polite one`;
      },
    },
    'abusive-client': {
      title: 'Abusive client',
      about:
        'One client sends the most expensive programs that it may; others send their usual ones.',
      runbook: 'rate_limit_exceeded',
      kind: 'burst',
      begin: async (signal) => {
        const { alone, beside } = await drills.abuse.run(signal, ABUSE_PART_MS);
        return `${beside.ok} of ${beside.sent} requests of the others succeeded, p99 ${beside.p99Ms} ms, ${alone.p99Ms} ms without the abuser`;
      },
    },
    shutdown: {
      title: 'Shutdown under load',
      about: 'Starts a second service, puts it under load and sends it SIGTERM.',
      runbook: 'hung_shutdown',
      kind: 'burst',
      begin: async (signal) => {
        const { sent, failed, endedAfterMs } = await drills.shutdown.run(signal);
        return `${failed} of ${sent} requests failed; the process exited after ${endedAfterMs} ms`;
      },
    },
  };
}
