import type { Demo } from '../demo.ts';
import { CLIENT_LIMIT } from '../service/settings.ts';
import { circuitStaysClosed, everythingSucceeds, numberOf } from './promises.ts';
import type { Scenario, ScenarioObserver } from './scenario.ts';

const SPIKE_SECONDS = 8;
const LOAD = { compile: 4, check: 2 } as const;
/** Longest acceptable p99 latency of the polite client, in milliseconds. */
const PATIENCE_MS = 1_500;

export const trafficSpike: Scenario = {
  name: 'traffic-spike',
  title: 'Traffic spike',
  about:
    'One client sends 300 requests per second. Another client with its usual load is not affected.',
  phases: [
    { name: 'before', about: 'Normal operation.', seconds: 3, load: LOAD },
    {
      name: 'spike',
      about: 'The greedy client is rate-limited and told when to retry.',
      seconds: SPIKE_SECONDS,
      faults: ['traffic-spike'],
      load: {},
    },
    { name: 'after', about: 'Normal operation again.', seconds: 3, load: LOAD },
  ],
  observe: (demo) => [readSpike(demo)],
  promises: [
    everythingSucceeds('before'),
    {
      promise: 'the greedy client gets its allowed share, and 429 for every other request',
      judge: (record) => {
        const ok = numberOf(record, 'greedyOk');
        const limited = numberOf(record, 'greedyLimited');
        const { limit, windowMs, burst } = CLIENT_LIMIT;
        // The bucket also refills during the two seconds in which the last calls settle.
        const most = burst + ((SPIKE_SECONDS + 2) * 1_000 * limit) / windowMs;
        return {
          held: limited > ok && ok > burst / 2 && ok <= most,
          shown: `${ok} accepted (at most ${Math.floor(most)}) and ${limited} limited`,
        };
      },
    },
    {
      promise: 'every 429 response says when to retry and what the limit is',
      judge: (record) => {
        const complete = numberOf(record, 'greedyLimitedWithFields');
        const limited = numberOf(record, 'greedyLimited');
        return { held: limited > 0 && complete === limited, shown: `${complete} of ${limited}` };
      },
    },
    {
      promise: 'every request of the polite client succeeds, with a p99 latency below 1.5 s',
      judge: (record) => {
        const ok = numberOf(record, 'politeOk');
        const sent = numberOf(record, 'politeSent');
        const p99 = numberOf(record, 'politeP99Ms');
        return {
          held: sent > 0 && ok === sent && p99 < PATIENCE_MS,
          shown: `${ok} of ${sent}, p99 ${p99} ms`,
        };
      },
    },
    {
      promise: 'no request causes a server error or stays without a response',
      judge: (record) => {
        const errors = numberOf(record, 'serverErrors');
        const unanswered = numberOf(record, 'unanswered');
        return {
          held: errors + unanswered === 0,
          shown: `${errors} errors, ${unanswered} without response`,
        };
      },
    },
    circuitStaysClosed('ast_codegen'),
    everythingSucceeds('after'),
  ],
};

function readSpike({ drills }: Demo): ScenarioObserver {
  return {
    finish: async () => {
      const { result } = drills.spike;
      if (result === undefined) return {};
      const { greedy, polite } = result;
      return {
        greedySent: greedy.sent,
        greedyOk: greedy.ok,
        greedyLimited: greedy.limited,
        greedyLimitedWithFields: greedy.limitedWithFields,
        greedyP99Ms: greedy.p99Ms,
        politeSent: polite.sent,
        politeOk: polite.ok,
        politeP99Ms: polite.p99Ms,
        serverErrors: greedy.serverErrors + polite.serverErrors,
        unanswered: greedy.unanswered + polite.unanswered,
      };
    },
  };
}
