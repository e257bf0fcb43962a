import type { Demo } from '../demo.ts';
import { circuitStaysClosed, everythingSucceeds, numberOf } from './promises.ts';
import type { Scenario, ScenarioObserver } from './scenario.ts';

/** As long as the drill: the others alone, then beside the abuser, and what still waits then. */
const ABUSE_SECONDS = 2 * 6 + 7;
const LOAD = { compile: 4, check: 2, lsp: 2 } as const;
/** The p99 latency of the others beside the abuser may be so many times that without. */
const MULTIPLE = 5;
/** Latencies below this one count as this one: a few milliseconds are noise of the machine. */
const LEAST_MS = 200;

export const abusiveClient: Scenario = {
  name: 'abusive-client',
  title: 'Abusive client',
  about:
    'One client sends endless programs, huge definitions and programs that need memory, as fast as it may. The others notice nothing.',
  phases: [
    { name: 'before', about: 'Normal operation.', seconds: 3, load: LOAD },
    {
      name: 'abuse',
      about:
        'The others alone for 6 s, then beside the abuser, whose programs run out of their budgets.',
      seconds: ABUSE_SECONDS,
      faults: ['abusive-client'],
      load: {},
    },
    { name: 'after', about: 'Normal operation again.', seconds: 3, load: LOAD },
  ],
  observe: (demo) => [readAbuse(demo)],
  promises: [
    everythingSucceeds('before'),
    {
      promise: 'every request of the others succeeds',
      judge: (record) => {
        const [sent, ok] = [numberOf(record, 'besideSent'), numberOf(record, 'besideOk')];
        return { held: sent > 0 && ok === sent, shown: `${ok} of ${sent}` };
      },
    },
    {
      promise: `the p99 latency of the others is at most ${MULTIPLE} times that without the abuser`,
      judge: (record) => {
        const [alone, beside] = [numberOf(record, 'aloneP99Ms'), numberOf(record, 'besideP99Ms')];
        return {
          held: beside <= MULTIPLE * Math.max(alone, LEAST_MS),
          shown: `${alone} ms without, ${beside} ms with`,
        };
      },
    },
    {
      promise: 'the abuser is answered, gets no server error, and is turned away beyond its share',
      judge: (record) => {
        const sent = numberOf(record, 'abuserSent');
        const limited = numberOf(record, 'abuserLimited');
        const errors = numberOf(record, 'abuserInternalErrors');
        return {
          held: sent > limited && limited > 0 && errors === 0,
          shown: `${limited} of ${sent} turned away, ${errors} internal errors`,
        };
      },
    },
    circuitStaysClosed('ast_codegen'),
    circuitStaysClosed('protocol_check'),
    everythingSucceeds('after'),
  ],
};

function readAbuse({ drills }: Demo): ScenarioObserver {
  return {
    finish: async () => {
      const { result } = drills.abuse;
      if (result === undefined) return {};
      const { abuser, alone, beside } = result;
      return {
        abuserSent: abuser.sent,
        abuserLimited: abuser.limited,
        abuserInternalErrors: abuser.internalErrors,
        aloneSent: alone.sent,
        aloneP99Ms: alone.p99Ms,
        besideSent: beside.sent,
        besideOk: beside.ok,
        besideP99Ms: beside.p99Ms,
      };
    },
  };
}
