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
    'The package registry fails, then is gone altogether, then recovers, while dependency trees are fetched again and again.',
  phases: [
    {
      name: 'healthy',
      about: 'The registry answers; every tree is resolved, downloaded and verified.',
      seconds: 4,
      load: { fetch: 12 },
    },
    {
      name: 'outage',
      about:
        'It answers 503. Retries, then the circuit opens; copies of a known age are given out.',
      seconds: 6,
      faults: ['registry-outage'],
      load: { fetch: 12 },
    },
    {
      name: 'refused',
      about: 'It is gone: connections are refused. Trials fail, and the circuit stays open.',
      seconds: 4,
      faults: ['registry-refused'],
      load: { fetch: 12 },
    },
    {
      name: 'recovering',
      about: 'It is back. The next trials succeed, and the circuit closes.',
      seconds: 5,
      load: { fetch: 12 },
    },
    {
      name: 'recovered',
      about: 'As if nothing had been.',
      seconds: 4,
      load: { fetch: 12 },
    },
  ],
  observe: (demo) => [watchRegistry(demo)],
  promises: [
    everythingSucceeds('healthy'),
    circuitOpens(BREAKER, 'outage'),
    {
      promise: 'retries are made before the circuit opens, and none once it is open',
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
        'no call begins a request to the registry while the circuit is open, where requests leave',
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
        'no request reaches the registry while the circuit is open, by the registry’s own counts',
      judge: (record) => {
        const seen = numberOf(record, 'requestsSeenByRegistryWhileOpen');
        const looks = numberOf(record, 'registryLooksWhileOpen');
        return { held: seen === 0 && looks > 0, shown: `${seen} in ${looks} looks` };
      },
    },
    everythingIsAnswered('outage'),
    everythingIsAnswered('refused'),
    circuitEndsClosed(BREAKER),
    everythingSucceeds('recovered'),
  ],
};
