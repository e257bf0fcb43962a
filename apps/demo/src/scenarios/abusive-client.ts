import type { Demo } from '../demo.ts';
import { NOTICED, unnoticedMs } from '../drills/abusive-client.ts';
import { circuitStaysClosed, everythingSucceeds, numberOf } from './promises.ts';
import type { Scenario, ScenarioObserver } from './scenario.ts';

/** As long as the drill: what a request costs, the others alone, beside the abuser, and what still waits then. */
const ABUSE_SECONDS = 4 + 2 * 6 + 6;
const LOAD = { compile: 4, check: 2, lsp: 2 } as const;

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
        'What a request of the abuser takes, then the others for 6 s alone, and for 6 s beside the abuser, whose programs run out of their budgets.',
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
      promise: `the p99 latency of the others is at most ${NOTICED} times that without the abuser, and one of its requests`,
      judge: (record) => {
        const [alone, beside] = [numberOf(record, 'aloneP99Ms'), numberOf(record, 'besideP99Ms')];
        return {
          held: beside <= numberOf(record, 'unnoticedMs'),
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
    circuitStaysClosed('registry_fetch'),
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
        unnoticedMs: Math.round(unnoticedMs(alone.p99Ms, result.requestMs)),
      };
    },
  };
}
