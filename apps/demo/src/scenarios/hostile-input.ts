import type { Demo } from '../demo.ts';
import { HOSTILE_REQUESTS } from '../drills/hostile-requests.ts';
import { circuitStaysClosed, everythingSucceeds, numberOf, phaseOf } from './promises.ts';
import type { Scenario, ScenarioObserver } from './scenario.ts';

const LOAD = { compile: 4, check: 2, lsp: 2 } as const;
/** Longest acceptable response time of a hostile request, in milliseconds. */
const PATIENCE_MS = 2_000;

export const hostileInput: Scenario = {
  name: 'hostile-input',
  title: 'Hostile input',
  about:
    'Malformed, oversized and malicious requests, as scanners send them, to a working service.',
  phases: [
    { name: 'before', about: 'Normal operation.', seconds: 3, load: LOAD },
    {
      name: 'hostile',
      about:
        'YAML bombs, deep nesting, prototype pollution, cross-origin requests and wrong tokens.',
      seconds: 10,
      faults: ['hostile-input'],
      load: {},
    },
    { name: 'after', about: 'Normal operation again.', seconds: 3, load: LOAD },
  ],
  observe: (demo) => [watchHostile(demo)],
  promises: [
    everythingSucceeds('before'),
    {
      promise: 'every hostile request gets an expected status',
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
      promise: 'no hostile request causes a server error or stays without a response',
      judge: (record) => {
        const errors = numberOf(record, 'hostileServerErrors');
        const unanswered = numberOf(record, 'hostileUnanswered');
        return {
          held: errors + unanswered === 0,
          shown: `${errors} errors, ${unanswered} without response`,
        };
      },
    },
    {
      promise: 'every error response is a problem document with a trace id',
      judge: (record) => {
        const unexplained = numberOf(record, 'hostileUnexplained');
        return { held: unexplained === 0, shown: `${unexplained} without` };
      },
    },
    {
      promise: 'every hostile request gets a response within 2 s',
      judge: (record) => {
        const slowest = numberOf(record, 'hostileSlowestMs');
        return { held: slowest < PATIENCE_MS, shown: `the slowest took ${slowest} ms` };
      },
    },
    circuitStaysClosed('ast_codegen'),
    circuitStaysClosed('protocol_check'),
    {
      promise: 'the errors are counted as validation errors of the caller',
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
