import type { Demo } from '../demo.ts';
import { everythingSucceeds, numberOf } from './promises.ts';
import type { Scenario, ScenarioObserver } from './scenario.ts';

const LOAD = { fetch: 4, compile: 4, check: 4, lsp: 4 } as const;

export const auditDiskFull: Scenario = {
  name: 'audit-disk-full',
  title: 'Audit disk full',
  about:
    'The disk of the audit log runs full. The service goes on, keeps what it could not write, and writes it when there is room.',
  durableAudit: true,
  phases: [
    {
      name: 'healthy',
      about: 'Every operation is on the disk before it is answered.',
      seconds: 4,
      load: LOAD,
    },
    {
      name: 'full',
      about: 'Writes fail with ENOSPC. Events are held in memory, and health says so.',
      seconds: 6,
      faults: ['audit-disk-full'],
      load: LOAD,
    },
    { name: 'room again', about: 'What was held is written, in order.', seconds: 4, load: LOAD },
  ],
  observe: (demo) => [watchAudit(demo)],
  promises: [
    everythingSucceeds('healthy'),
    everythingSucceeds('full'),
    {
      promise: 'the disk really refused, and health said so',
      judge: ({ measured }) => ({
        held: Number(measured.refusedWrites) > 0 && measured.worstHealth !== 'healthy',
        shown: `${measured.refusedWrites} writes refused; health at worst ${measured.worstHealth}`,
      }),
    },
    {
      promise: 'no event is lost: every operation of the scenario is in the log',
      judge: (record) => {
        const operations = numberOf(record, 'operations');
        const found = numberOf(record, 'operationsInLog');
        return { held: operations > 0 && found === operations, shown: `${found} of ${operations}` };
      },
    },
    {
      promise: 'nothing waits any more in the end, and the log is well',
      judge: ({ measured }) => ({
        held: measured.pendingAtEnd === 0 && measured.stateAtEnd === 'open',
        shown: `${measured.pendingAtEnd} waiting, state ${measured.stateAtEnd}`,
      }),
    },
    {
      promise: 'the chain and its signed checkpoints hold from the first event to the last',
      judge: ({ measured }) => ({
        held: measured.verified === true && Number(measured.checkpoints) > 0,
        shown: `${measured.verifiedEvents} events, ${measured.checkpoints} checkpoints${measured.verifyProblem === '' ? '' : `: ${measured.verifyProblem}`}`,
      }),
    },
    everythingSucceeds('room again'),
  ],
};

const LOOK_MS = 250;
const MAX_EVENTS = 10_000;

function watchAudit({ service }: Demo): ScenarioObserver {
  const { audit, hardening, monitor } = service;
  const before = audit.log.stats().sequence;
  const refusedBefore = audit.disk.refused;
  let [operations, worst] = [0, 0];
  const order = ['healthy', 'degraded', 'unhealthy'];
  const listening = hardening.onOperation(() => {
    operations += 1;
  });
  const looking = setInterval(() => {
    void monitor.check({ fresh: true }).then(({ checks }) => {
      const status = checks.find(({ name }) => name === 'audit')?.status ?? 'healthy';
      worst = Math.max(worst, order.indexOf(status));
    });
  }, LOOK_MS);
  return {
    finish: async () => {
      clearInterval(looking);
      listening[Symbol.dispose]();
      await audit.log.flush();
      await audit.log.checkpoint();
      const { events } = await audit.log.query({
        fromSequence: before + 1,
        eventType: 'operation',
        limit: MAX_EVENTS,
      });
      const { ok, problem, events: verified, checkpoints } = await audit.verify();
      const { pending, state } = audit.log.stats();
      return {
        operations,
        operationsInLog: events.length,
        refusedWrites: audit.disk.refused - refusedBefore,
        worstHealth: order[worst] as string,
        pendingAtEnd: pending,
        stateAtEnd: state,
        verified: ok,
        verifyProblem: problem?.message ?? '',
        verifiedEvents: verified,
        checkpoints: checkpoints.trusted,
      };
    },
  };
}
