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
/** The deadline of one operation, and the tolerance for a loaded machine, in milliseconds. */
const DEADLINE_MS = 5_000;
const SLACK_MS = 750;

export const slowRegistry: Scenario = {
  name: 'slow-registry',
  title: 'Slow registry',
  about: 'Every response of the registry comes too late. Attempts time out, and the circuit opens.',
  phases: [
    { name: 'healthy', about: 'The registry responds quickly.', seconds: 4, load: { fetch: 10 } },
    {
      name: 'slow',
      about:
        'Every response takes longer than the attempt timeout. Attempts fail, then the circuit opens.',
      seconds: 9,
      faults: ['slow-registry'],
      load: { fetch: 10 },
    },
    {
      name: 'recovering',
      about: 'The registry responds quickly again, and trial calls succeed.',
      seconds: 5,
      load: { fetch: 10 },
    },
    { name: 'recovered', about: 'Normal operation again.', seconds: 4, load: { fetch: 10 } },
  ],
  observe: (demo) => [watchRegistry(demo)],
  promises: [
    everythingSucceeds('healthy'),
    circuitOpens(BREAKER, 'slow'),
    everythingIsAnswered('slow'),
    {
      promise: 'no call takes longer than its deadline',
      judge: (record) => {
        const { p99Ms = 0 } = phaseOf(record, 'slow');
        return { held: p99Ms > 0 && p99Ms <= DEADLINE_MS + SLACK_MS, shown: `p99 ${p99Ms} ms` };
      },
    },
    {
      promise: 'most calls do not wait, because the open circuit rejects them immediately',
      judge: (record) => {
        const { p50Ms = Number.POSITIVE_INFINITY, rejections, calls } = phaseOf(record, 'slow');
        return {
          held: p50Ms < 100 && rejections > calls / 2,
          shown: `p50 ${p50Ms} ms, ${rejections} of ${calls} rejected`,
        };
      },
    },
    {
      promise: 'no call starts a request to the registry while the circuit is open',
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
