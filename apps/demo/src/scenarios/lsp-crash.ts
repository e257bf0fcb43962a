import type { OperationEvent } from '@temper/parsercraft-handlers';
import type { Demo } from '../demo.ts';
import { everythingIsAnswered, everythingSucceeds, numberOf, phaseOf } from './promises.ts';
import type { Scenario, ScenarioObserver } from './scenario.ts';

const LOAD = { lsp: 12, compile: 4, check: 4 } as const;

export const lspCrash: Scenario = {
  name: 'lsp-crash',
  title: 'Language server crash',
  about:
    'The language server is killed repeatedly while editors use it. The other subsystems are not affected.',
  phases: [
    { name: 'healthy', about: 'The language server responds.', seconds: 4, load: LOAD },
    {
      name: 'crashing',
      about: 'The process is killed after each restart. Answers come from the last valid text.',
      seconds: 8,
      faults: ['lsp-crash'],
      load: LOAD,
    },
    { name: 'restarting', about: 'The language server starts again.', seconds: 3, load: LOAD },
    { name: 'recovered', about: 'Normal operation again.', seconds: 4, load: LOAD },
  ],
  observe: (demo) => [watchServer(demo)],
  promises: [
    everythingSucceeds('healthy'),
    everythingIsAnswered('crashing'),
    {
      promise: 'while the server is down, requests get degraded answers from the last valid text',
      judge: (record) => {
        const { degraded } = phaseOf(record, 'crashing');
        return { held: degraded > 0, shown: `${degraded} degraded answers` };
      },
    },
    {
      promise: 'the server is restarted after each crash',
      judge: (record) => {
        const restarts = numberOf(record, 'restarts');
        return { held: restarts >= 3, shown: `${restarts} restarts` };
      },
    },
    {
      promise: 'every call to the other subsystems succeeds throughout',
      judge: (record) => {
        const others = numberOf(record, 'otherCalls');
        const failed = numberOf(record, 'otherCallsNotReal');
        return { held: others > 0 && failed === 0, shown: `${others - failed} of ${others}` };
      },
    },
    {
      promise: 'the health check reports the outage, and recovers at the end',
      judge: ({ measured }) => ({
        held: measured.worstHealth === 'unhealthy' && measured.healthAtEnd === 'healthy',
        shown: `worst ${measured.worstHealth}, at the end ${measured.healthAtEnd}`,
      }),
    },
    everythingSucceeds('recovered'),
  ],
};

const LOOK_MS = 250;
const WORSE = ['healthy', 'degraded', 'unhealthy'];

function watchServer({ service }: Demo): ScenarioObserver {
  const { lsp, hardening, monitor } = service;
  const restartsBefore = lsp.process.restarts;
  let [others, notReal, worst] = [0, 0, 0];
  const listening = hardening.onOperation((event: OperationEvent) => {
    if (event.operation === 'lsp_operation' || event.status === 'aborted') return;
    others += 1;
    if (event.status !== 'success') notReal += 1;
  });
  const healthOf = async (): Promise<string> => {
    const { checks } = await monitor.check({ fresh: true });
    return checks.find(({ name }) => name === 'lsp')?.status ?? 'unknown';
  };
  const looking = setInterval(() => {
    void healthOf().then((status) => {
      worst = Math.max(worst, WORSE.indexOf(status));
    });
  }, LOOK_MS);
  return {
    finish: async () => {
      clearInterval(looking);
      listening[Symbol.dispose]();
      return {
        restarts: lsp.process.restarts - restartsBefore,
        otherCalls: others,
        otherCallsNotReal: notReal,
        worstHealth: WORSE[worst] as string,
        healthAtEnd: await healthOf(),
      };
    },
  };
}
