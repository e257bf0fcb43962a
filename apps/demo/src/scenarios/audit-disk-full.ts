import type { Demo } from '../demo.ts';
import { everythingSucceeds, numberOf } from './promises.ts';
import type { Scenario, ScenarioObserver } from './scenario.ts';

const LOAD = { fetch: 4, compile: 4, check: 4, lsp: 4 } as const;

export const auditDiskFull: Scenario = {
  name: 'audit-disk-full',
  title: 'Audit disk full',
  about:
    'The disk of the audit log is full. The service continues, buffers events in memory and writes them when there is space again.',
  durableAudit: true,
  phases: [
    {
      name: 'healthy',
      about: 'Every operation is durable in the audit log before it returns.',
      seconds: 4,
      load: LOAD,
    },
    {
      name: 'full',
      about: 'Writes fail with ENOSPC. Events stay in memory, and the health check reports it.',
      seconds: 6,
      faults: ['audit-disk-full'],
      load: LOAD,
    },
    {
      name: 'space available',
      about: 'Buffered events are written in order.',
      seconds: 4,
      load: LOAD,
    },
  ],
  observe: (demo) => [watchAudit(demo)],
  promises: [
    everythingSucceeds('healthy'),
    everythingSucceeds('full'),
    {
      promise: 'writes fail on the full disk, and the health check reports it',
      judge: ({ measured }) => ({
        held: Number(measured.refusedWrites) > 0 && measured.worstHealth !== 'healthy',
        shown: `${measured.refusedWrites} failed writes; worst health ${measured.worstHealth}`,
      }),
    },
    {
      promise: 'no event is lost: the log contains every operation of the scenario',
      judge: (record) => {
        const operations = numberOf(record, 'operations');
        const found = numberOf(record, 'operationsInLog');
        return { held: operations > 0 && found === operations, shown: `${found} of ${operations}` };
      },
    },
    {
      promise: 'at the end no event is pending and the log is open',
      judge: ({ measured }) => ({
        held: measured.pendingAtEnd === 0 && measured.stateAtEnd === 'open',
        shown: `${measured.pendingAtEnd} pending, state ${measured.stateAtEnd}`,
      }),
    },
    {
      promise: 'the hash chain and its signed checkpoints verify from the first event to the last',
      judge: ({ measured }) => ({
        held: measured.verified === true && Number(measured.checkpoints) > 0,
        shown: `${measured.verifiedEvents} events, ${measured.checkpoints} checkpoints${measured.verifyProblem === '' ? '' : `: ${measured.verifyProblem}`}`,
      }),
    },
    everythingSucceeds('space available'),
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
