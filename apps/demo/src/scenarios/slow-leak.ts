import type { Demo } from '../demo.ts';
import { everythingSucceeds, numberOf, phaseOf } from './promises.ts';
import type { Scenario, ScenarioObserver } from './scenario.ts';

const LOAD = { fetch: 12 } as const;
/** Users notice when ten of a hundred calls fail or are degraded, over this time in milliseconds. */
const NOTICED = 0.1;
const NOTICED_OVER_MS = 3_000;
/** How long the look at health waits for other checks, in milliseconds: that of the registry is slow by then. */
const LOOK_BUDGET_MS = 100;

export const slowLeak: Scenario = {
  name: 'slow-leak',
  title: 'Slow leak',
  about: 'The registry slowly gets worse. An early warning comes before users notice.',
  phases: [
    {
      name: 'healthy',
      about: 'The registry responds. The predictor learns what is usual.',
      seconds: 11,
      load: LOAD,
    },
    {
      name: 'leaking',
      about: 'Requests become slower and fail more often. At first retries hide it.',
      seconds: 14,
      faults: ['slow-leak'],
      load: LOAD,
    },
    { name: 'repaired', about: 'The leak is closed.', seconds: 3, load: LOAD },
  ],
  // The circuit of the demo opens after five failed attempts, and would be the first to show the leak.
  settings: { breakers: { registry_fetch: { failureThreshold: 100 } } },
  observe: (demo) => [watchOutlook(demo)],
  promises: [
    everythingSucceeds('healthy'),
    {
      promise: 'the predictor warns before ten calls of a hundred go wrong',
      judge: (record) => {
        const warned = numberOf(record, 'warnedAfterMs');
        const noticed = numberOf(record, 'noticedAfterMs');
        return {
          held: warned < noticed,
          shown: `warned after ${warned} ms of the leak, users notice after ${noticed} ms`,
        };
      },
    },
    {
      promise: 'the service is degraded, and not unhealthy, when users notice',
      judge: ({ measured }) => ({
        held: measured['healthWhenNoticed'] === 'degraded',
        shown: String(measured['healthWhenNoticed']),
      }),
    },
    {
      promise: 'the leak is real: in the end users notice it',
      judge: (record) => {
        const { calls, successes } = phaseOf(record, 'leaking');
        return { held: successes < calls, shown: `${successes} of ${calls} calls succeeded` };
      },
    },
  ],
};

/** Notes when the leak begins, when the predictor warns, and when users notice. */
function watchOutlook({ service }: Demo): ScenarioObserver {
  const { hardening, monitor, outlook } = service;
  const stack = new DisposableStack();
  const recent: { readonly at: number; readonly bad: boolean }[] = [];
  let leakedAt: number | undefined;
  let warnedAt: number | undefined;
  let noticedAt: number | undefined;
  let reason = '';
  let healthWhenNoticed: Promise<string> | undefined;
  const look = async (): Promise<string> => {
    const { checks } = await monitor.check({ fresh: true, budgetMs: LOOK_BUDGET_MS });
    return checks.find(({ name }) => name === outlook.name)?.status ?? 'not checked';
  };
  stack.use(
    hardening.onOperation(({ operation, status }) => {
      const now = performance.now();
      if (operation !== 'fetch_package' || leakedAt === undefined || noticedAt !== undefined)
        return;
      recent.push({ at: now, bad: status !== 'success' });
      while ((recent[0]?.at ?? now) < now - NOTICED_OVER_MS) recent.shift();
      const bad = recent.filter((one) => one.bad).length;
      if (now - leakedAt < NOTICED_OVER_MS || bad < NOTICED * recent.length) return;
      noticedAt = now;
      healthWhenNoticed = look();
    }),
  );
  stack.use(
    outlook.onWarning((prediction) => {
      if (leakedAt === undefined || warnedAt !== undefined) return;
      warnedAt = performance.now();
      reason = prediction.reason;
    }),
  );
  return {
    phase: (name) => {
      if (name === 'leaking') leakedAt = performance.now();
    },
    finish: async () => {
      stack.dispose();
      const since = (name: string, at: number | undefined): Record<string, number> =>
        at === undefined || leakedAt === undefined ? {} : { [name]: Math.round(at - leakedAt) };
      return {
        ...since('warnedAfterMs', warnedAt),
        ...since('noticedAfterMs', noticedAt),
        healthWhenNoticed: (await healthWhenNoticed) ?? 'not noticed',
        reason,
      };
    },
  };
}
