import type { OperationEvent } from '@temper/parsercraft-handlers';
import type { Demo } from '../demo.ts';
import {
  circuitEndsClosed,
  circuitOpens,
  everythingIsAnswered,
  everythingSucceeds,
  numberOf,
} from './promises.ts';
import { watchRegistry } from './registry-watch.ts';
import type { Scenario, ScenarioObserver } from './scenario.ts';

const BREAKER = 'registry_fetch';

export const flapping: Scenario = {
  name: 'flapping',
  title: 'Flapping registry',
  about:
    'The registry has short outages, which retries bridge, and longer ones, for which the circuit opens.',
  phases: [
    { name: 'healthy', about: 'The registry responds.', seconds: 3, load: { fetch: 8 } },
    {
      name: 'flapping',
      about: 'Down for 200 ms and up for 900 ms, repeatedly; every fourth outage lasts 1.5 s.',
      seconds: 15,
      faults: ['flapping'],
      load: { fetch: 8 },
    },
    {
      name: 'recovering',
      about: 'The registry stays up, and the circuit closes.',
      seconds: 5,
      load: { fetch: 8 },
    },
    { name: 'recovered', about: 'Normal operation again.', seconds: 3, load: { fetch: 8 } },
  ],
  observe: (demo) => [watchRegistry(demo), countSaved(demo)],
  promises: [
    everythingSucceeds('healthy'),
    everythingIsAnswered('flapping'),
    {
      promise: 'some calls fail at first and succeed after a retry',
      judge: (record) => {
        const saved = numberOf(record, 'savedByRetry');
        return { held: saved > 0, shown: `${saved} calls` };
      },
    },
    circuitOpens(BREAKER, 'flapping'),
    {
      promise: 'no call starts a request to the registry while the circuit is open',
      judge: (record) => {
        const begun = numberOf(record, 'requestsBegunWhileOpen');
        return { held: begun === 0, shown: `${begun} requests` };
      },
    },
    circuitEndsClosed(BREAKER),
    everythingSucceeds('recovered'),
  ],
};

/** Counts the calls that succeeded after a retry. */
function countSaved({ service }: Demo): ScenarioObserver {
  let saved = 0;
  const listening = service.hardening.onOperation((event: OperationEvent) => {
    if (event.status === 'success' && event.attempts > 1) saved += 1;
  });
  return {
    finish: async () => {
      listening[Symbol.dispose]();
      return { savedByRetry: saved };
    },
  };
}
