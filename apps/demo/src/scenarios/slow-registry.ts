import {
  circuitEndsClosed,
  circuitOpens,
  everythingIsAnswered,
  everythingSucceeds,
  numberOf,
  phaseOf,
} from './promises.ts';
import { watchRegistry } from './registry-watch.ts';
import type { Scenario } from './scenario.ts';

const BREAKER = 'registry_fetch';
/** What the plan gives one operation, and what a loaded machine may add to it. */
const DEADLINE_MS = 5_000;
const SLACK_MS = 750;

export const slowRegistry: Scenario = {
  name: 'slow-registry',
  title: 'Slow registry',
  about:
    'The registry answers everything, but too late: time runs out, and nobody waits for it twice.',
  phases: [
    { name: 'healthy', about: 'The registry is quick.', seconds: 4, load: { fetch: 10 } },
    {
      name: 'slow',
      about:
        'Every answer takes longer than an attempt is given. Attempts are given up on, then the circuit opens.',
      seconds: 9,
      faults: ['slow-registry'],
      load: { fetch: 10 },
    },
    {
      name: 'recovering',
      about: 'It is quick again; trials succeed.',
      seconds: 5,
      load: { fetch: 10 },
    },
    { name: 'recovered', about: 'As if nothing had been.', seconds: 4, load: { fetch: 10 } },
  ],
  observe: (demo) => [watchRegistry(demo)],
  promises: [
    everythingSucceeds('healthy'),
    circuitOpens(BREAKER, 'slow'),
    everythingIsAnswered('slow'),
    {
      promise: 'no call takes longer than its deadline, however slow the registry is',
      judge: (record) => {
        const { p99Ms = 0 } = phaseOf(record, 'slow');
        return { held: p99Ms > 0 && p99Ms <= DEADLINE_MS + SLACK_MS, shown: `p99 ${p99Ms} ms` };
      },
    },
    {
      promise: 'most calls do not wait at all: the open circuit answers them at once',
      judge: (record) => {
        const { p50Ms = Number.POSITIVE_INFINITY, rejections, calls } = phaseOf(record, 'slow');
        return {
          held: p50Ms < 100 && rejections > calls / 2,
          shown: `p50 ${p50Ms} ms, ${rejections} of ${calls} not sent`,
        };
      },
    },
    {
      promise: 'no call begins a request to the registry while the circuit is open',
      judge: (record) => {
        const begun = numberOf(record, 'requestsBegunWhileOpen');
        const openMs = numberOf(record, 'circuitOpenMs');
        return {
          held: begun === 0 && openMs > 0,
          shown: `${begun} in ${openMs} ms of open circuit`,
        };
      },
    },
    circuitEndsClosed(BREAKER),
    everythingSucceeds('recovered'),
  ],
};
