import type { Demo } from '../demo.ts';
import { everythingSucceeds, numberOf } from './promises.ts';
import type { Scenario, ScenarioObserver } from './scenario.ts';

/** What a service may take to end: its running requests, its children, its log, its telemetry. */
const END_LIMIT_MS = 10_000;
const LOAD = { compile: 2 } as const;

export const shutdown: Scenario = {
  name: 'shutdown',
  title: 'Shutdown under load',
  about:
    'A second service, in a process of its own and under load, gets SIGTERM. No request that it has begun is lost.',
  phases: [
    {
      name: 'under load',
      about: 'The second service starts, is put under load, and is told to end.',
      seconds: 14,
      faults: ['shutdown'],
      load: LOAD,
    },
    { name: 'afterwards', about: 'It is gone; this one goes on.', seconds: 3, load: LOAD },
  ],
  observe: (demo) => [readDrill(demo)],
  promises: [
    {
      promise: 'no request that has begun fails',
      judge: (record) => {
        const failed = numberOf(record, 'failed');
        const ok = numberOf(record, 'ok');
        const { failures } = record.measured;
        return {
          held: ok > 50 && failed === 0,
          shown: `${failed} failed, ${ok} answered${failures === '' ? '' : `: ${failures}`}`,
        };
      },
    },
    {
      promise: 'it says that it is not ready first, and asks kept-alive connections to close',
      judge: (record) => {
        const asked = numberOf(record, 'askedToClose');
        const after = numberOf(record, 'notReadyAfterMs');
        const ended = numberOf(record, 'endedAfterMs');
        return {
          held: asked > 0 && after > 0 && after < ended,
          shown: `not ready after ${after} ms, ${asked} asked to close`,
        };
      },
    },
    {
      promise: 'the process ends by itself, with exit code 0, in good time',
      judge: (record) => {
        const code = numberOf(record, 'exitCode');
        const ended = numberOf(record, 'endedAfterMs');
        return {
          held: code === 0 && ended < END_LIMIT_MS,
          shown: `code ${code} after ${ended} ms`,
        };
      },
    },
    everythingSucceeds('under load'),
    everythingSucceeds('afterwards'),
  ],
};

function readDrill({ drills }: Demo): ScenarioObserver {
  return {
    finish: async () => {
      const { result } = drills.shutdown;
      if (result === undefined) return {};
      const { failures, exitCode, ...counts } = result;
      return { ...counts, exitCode: exitCode ?? -1, failures: failures.join('; ') };
    },
  };
}
