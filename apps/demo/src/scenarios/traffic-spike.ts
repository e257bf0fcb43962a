import type { Demo } from '../demo.ts';
import { CLIENT_LIMIT } from '../service/settings.ts';
import { circuitStaysClosed, everythingSucceeds, numberOf } from './promises.ts';
import type { Scenario, ScenarioObserver } from './scenario.ts';

const SPIKE_SECONDS = 8;
const LOAD = { compile: 4, check: 2 } as const;
/** What the polite client may have to wait behind the greedy one. */
const PATIENCE_MS = 1_500;

export const trafficSpike: Scenario = {
  name: 'traffic-spike',
  title: 'Traffic spike',
  about:
    'One client asks three hundred times a second; another asks as it always does, and does not notice.',
  phases: [
    { name: 'before', about: 'Ordinary work.', seconds: 3, load: LOAD },
    {
      name: 'spike',
      about: 'The greedy client is limited, and told when to come back.',
      seconds: SPIKE_SECONDS,
      faults: ['traffic-spike'],
      load: {},
    },
    { name: 'after', about: 'Ordinary work, as before.', seconds: 3, load: LOAD },
  ],
  observe: (demo) => [readSpike(demo)],
  promises: [
    everythingSucceeds('before'),
    {
      promise: 'the greedy client gets what one client may have, and 429 for the rest',
      judge: (record) => {
        const ok = numberOf(record, 'greedyOk');
        const limited = numberOf(record, 'greedyLimited');
        const { limit, windowMs, burst } = CLIENT_LIMIT;
        // Settling takes a moment too; the bucket refills meanwhile.
        const most = burst + ((SPIKE_SECONDS + 2) * 1_000 * limit) / windowMs;
        return {
          held: limited > ok && ok > burst / 2 && ok <= most,
          shown: `${ok} answers (at most ${Math.floor(most)}) and ${limited} refusals`,
        };
      },
    },
    {
      promise: 'each refusal says when to come back and what the limit is',
      judge: (record) => {
        const told = numberOf(record, 'greedyLimitedWithFields');
        const limited = numberOf(record, 'greedyLimited');
        return { held: limited > 0 && told === limited, shown: `${told} of ${limited}` };
      },
    },
    {
      promise: 'the polite client gets everything that it asks for, in good time',
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
      promise: 'there is no server error, and no request is left without an answer',
      judge: (record) => {
        const errors = numberOf(record, 'serverErrors');
        const unanswered = numberOf(record, 'unanswered');
        return { held: errors + unanswered === 0, shown: `${errors} and ${unanswered}` };
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
