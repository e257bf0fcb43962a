import type { Demo } from '../demo.ts';
import { everythingSucceeds, numberOf } from './promises.ts';
import type { Scenario, ScenarioObserver } from './scenario.ts';

/** Longest acceptable time from the signal to the exit of the process, in milliseconds. */
const END_LIMIT_MS = 10_000;
const LOAD = { compile: 2 } as const;

export const shutdown: Scenario = {
  name: 'shutdown',
  title: 'Shutdown under load',
  about:
    'A second service in its own process gets SIGTERM while it is under load. No started request is lost.',
  phases: [
    {
      name: 'under load',
      about: 'The second service starts, is put under load, and gets SIGTERM.',
      seconds: 14,
      faults: ['shutdown'],
      load: LOAD,
    },
    {
      name: 'afterwards',
      about: 'The second service has exited; this one continues.',
      seconds: 3,
      load: LOAD,
    },
  ],
  observe: (demo) => [readDrill(demo)],
  promises: [
    {
      promise: 'no started request fails',
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
      promise: 'it reports not ready before it exits, and closes keep-alive connections gracefully',
      judge: (record) => {
        const asked = numberOf(record, 'askedToClose');
        const after = numberOf(record, 'notReadyAfterMs');
        const ended = numberOf(record, 'endedAfterMs');
        return {
          held: asked > 0 && after > 0 && after < ended,
          shown: `not ready after ${after} ms, ${asked} responses with Connection: close`,
        };
      },
    },
    {
      promise: 'the process exits with code 0 within 10 s',
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
