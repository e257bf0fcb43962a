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

export const registryOutage: Scenario = {
  name: 'registry-outage',
  title: 'Registry outage',
  about:
    'The package registry returns errors, then refuses connections, then recovers, while dependency trees are fetched.',
  phases: [
    {
      name: 'healthy',
      about: 'Every dependency tree is resolved, downloaded and verified.',
      seconds: 4,
      load: { fetch: 12 },
    },
    {
      name: 'outage',
      about:
        'The registry returns 503. Calls are retried, then the circuit opens, and stale copies are served.',
      seconds: 6,
      faults: ['registry-outage'],
      load: { fetch: 12 },
    },
    {
      name: 'refused',
      about: 'The registry refuses connections. Trial calls fail, and the circuit stays open.',
      seconds: 4,
      faults: ['registry-refused'],
      load: { fetch: 12 },
    },
    {
      name: 'recovering',
      about: 'The registry is back. The next trial calls succeed, and the circuit closes.',
      seconds: 5,
      load: { fetch: 12 },
    },
    {
      name: 'recovered',
      about: 'Normal operation again.',
      seconds: 4,
      load: { fetch: 12 },
    },
  ],
  observe: (demo) => [watchRegistry(demo)],
  promises: [
    everythingSucceeds('healthy'),
    circuitOpens(BREAKER, 'outage'),
    {
      promise: 'calls are retried before the circuit opens and not while it is open',
      judge: (record) => {
        const { calls, attempts, rejections } = phaseOf(record, 'outage');
        return {
          held: rejections > 0 && attempts >= 5 && attempts < calls,
          shown: `${attempts} attempts and ${rejections} rejections in ${calls} calls`,
        };
      },
    },
    {
      promise:
        'no call starts a request to the registry while the circuit is open, as counted in this process',
      judge: (record) => {
        const begun = numberOf(record, 'requestsBegunWhileOpen');
        const openMs = numberOf(record, 'circuitOpenMs');
        return {
          held: begun === 0 && openMs > 0,
          shown: `${begun} in ${openMs} ms of open circuit`,
        };
      },
    },
    {
      promise:
        'no request reaches the registry while the circuit is open, as counted by the registry',
      judge: (record) => {
        const seen = numberOf(record, 'requestsSeenByRegistryWhileOpen');
        const looks = numberOf(record, 'registryLooksWhileOpen');
        return { held: seen === 0 && looks > 0, shown: `${seen} in ${looks} samples` };
      },
    },
    everythingIsAnswered('outage'),
    everythingIsAnswered('refused'),
    circuitEndsClosed(BREAKER),
    everythingSucceeds('recovered'),
  ],
};
