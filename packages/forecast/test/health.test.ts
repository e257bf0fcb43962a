import { healthMonitor } from '@temper/health';
import { ManualClock } from '@temper/testkit';
import { expect, it } from 'vitest';
import { predictFailure, predictionCheck } from '../src/index.ts';

it('a health check is degraded while the predictor warns, and says why', async () => {
  const clock = new ManualClock();
  const predictor = predictFailure({ name: 'registry', clock });
  const health = healthMonitor({ checks: [predictionCheck(predictor)], clock });
  const run = async (steps: number, failed: boolean): Promise<void> => {
    for (let step = 0; step < steps; step++) {
      for (let i = 0; i < 20; i++) predictor.record({ failed, durationMs: 10 });
      await clock.advance(5000);
    }
  };
  const check = async () => (await health.getHealthSummary()).checks['registry'];
  expect(await check()).toMatchObject({ status: 'healthy', message: 'learns what is usual' });
  await run(60, false);
  expect(await check()).toMatchObject({ status: 'healthy' });
  await run(4, true);
  expect(await check()).toMatchObject({
    status: 'degraded',
    message: expect.stringMatching(/^failed calls .* σ\)/),
  });
  expect(await health.getOverallHealth()).toBe('degraded');
});

it('refuses what is no predictor', () => {
  expect(() => predictionCheck({} as never)).toThrow(
    'predictionCheck: predictor.prediction must be a function, got undefined.',
  );
});
