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
    'The registry fails for moments, which retries bridge, and at times for longer, which the circuit does.',
  phases: [
    { name: 'healthy', about: 'The registry answers.', seconds: 3, load: { fetch: 8 } },
    {
      name: 'flapping',
      about: 'Down for 200 ms, up for 900 ms, down for 1.5 s, and so on.',
      seconds: 15,
      faults: ['flapping'],
      load: { fetch: 8 },
    },
    {
      name: 'recovering',
      about: 'It stays up; the circuit closes.',
      seconds: 5,
      load: { fetch: 8 },
    },
    { name: 'recovered', about: 'As if nothing had been.', seconds: 3, load: { fetch: 8 } },
  ],
  observe: (demo) => [watchRegistry(demo), countSaved(demo)],
  promises: [
    everythingSucceeds('healthy'),
    everythingIsAnswered('flapping'),
    {
      promise: 'some calls fail at first and get the real answer by a retry',
      judge: (record) => {
        const saved = numberOf(record, 'savedByRetry');
        return { held: saved > 0, shown: `${saved} calls` };
      },
    },
    circuitOpens(BREAKER, 'flapping'),
    {
      promise: 'no call begins a request to the registry while the circuit is open',
      judge: (record) => {
        const begun = numberOf(record, 'requestsBegunWhileOpen');
        return { held: begun === 0, shown: `${begun} requests` };
      },
    },
    circuitEndsClosed(BREAKER),
    everythingSucceeds('recovered'),
  ],
};

/** Counts the calls that a retry saved. */
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
