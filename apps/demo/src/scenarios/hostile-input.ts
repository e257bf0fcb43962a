import type { Demo } from '../demo.ts';
import { HOSTILE_REQUESTS } from '../drills/hostile-requests.ts';
import { circuitStaysClosed, everythingSucceeds, numberOf, phaseOf } from './promises.ts';
import type { Scenario, ScenarioObserver } from './scenario.ts';

const LOAD = { compile: 4, check: 2, lsp: 2 } as const;
/** What a caller who means well may have to wait while others mean ill. */
const PATIENCE_MS = 2_000;

export const hostileInput: Scenario = {
  name: 'hostile-input',
  title: 'Hostile input',
  about: 'Everything that people and scanners send to break a service, while others go on working.',
  phases: [
    { name: 'before', about: 'Ordinary work.', seconds: 3, load: LOAD },
    {
      name: 'hostile',
      about: 'Bombs, brackets without end, poisoned prototypes, stolen origins, guessed tokens.',
      seconds: 10,
      faults: ['hostile-input'],
      load: {},
    },
    { name: 'after', about: 'Ordinary work, as before.', seconds: 3, load: LOAD },
  ],
  observe: (demo) => [watchHostile(demo)],
  promises: [
    everythingSucceeds('before'),
    {
      promise: 'every hostile request is refused, or answered, exactly as it should be',
      judge: (record) => {
        const sent = numberOf(record, 'hostileSent');
        const expected = numberOf(record, 'hostileAsExpected');
        const { hostileSurprises: surprises } = record.measured;
        return {
          held: sent >= HOSTILE_REQUESTS.length && expected === sent,
          shown: `${expected} of ${sent}${surprises === '' ? '' : `; ${surprises}`}`,
        };
      },
    },
    {
      promise: 'none is answered with a server error, and none is left without an answer',
      judge: (record) => {
        const errors = numberOf(record, 'hostileServerErrors');
        const unanswered = numberOf(record, 'hostileUnanswered');
        return { held: errors + unanswered === 0, shown: `${errors} and ${unanswered}` };
      },
    },
    {
      promise: 'every refusal is a problem document with the id of its trace',
      judge: (record) => {
        const unexplained = numberOf(record, 'hostileUnexplained');
        return { held: unexplained === 0, shown: `${unexplained} without` };
      },
    },
    {
      promise: 'none holds the service up for long',
      judge: (record) => {
        const slowest = numberOf(record, 'hostileSlowestMs');
        return { held: slowest < PATIENCE_MS, shown: `the slowest took ${slowest} ms` };
      },
    },
    circuitStaysClosed('ast_codegen'),
    circuitStaysClosed('protocol_check'),
    {
      promise: 'what they did is counted as the callers’ own mistakes',
      judge: (record) => {
        const { failures } = phaseOf(record, 'hostile');
        const validation = numberOf(record, 'validationErrors');
        return { held: validation > 0 && failures > 0, shown: `${validation} validation errors` };
      },
    },
    everythingSucceeds('after'),
  ],
};

function watchHostile({ drills, service }: Demo): ScenarioObserver {
  const before = service.hardening.errorStats().byCategory.validation;
  return {
    finish: async () => {
      const { result } = drills.hostile;
      return {
        hostileSent: result.sent,
        hostileAsExpected: result.asExpected,
        hostileServerErrors: result.serverErrors,
        hostileUnexplained: result.unexplained,
        hostileUnanswered: result.unanswered,
        hostileSlowestMs: result.slowestMs,
        hostileSurprises: result.surprises.join('; '),
        validationErrors: service.hardening.errorStats().byCategory.validation - before,
      };
    },
  };
}
