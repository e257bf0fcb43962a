import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it, onTestFinished } from 'vitest';
import { Balancer } from './balancer.ts';
import { Load } from './load.ts';
import { Fixture } from './processes.ts';

it('loses no request in a rolling update behind a load balancer with stale endpoints', async () => {
  // The load balancer keeps sending for up to 500 ms after readiness has failed.
  const balancer = new Balancer({ probeMs: 100, lagMs: 400 });
  const replica = async (): Promise<Fixture> => {
    const started = new Fixture('replica', { DELAY_MS: '2000' });
    onTestFinished(() => started.kill('SIGKILL'));
    balancer.add(await started.port());
    return started;
  };
  const old = [await replica(), await replica()];
  const port = await balancer.listen();
  const load = new Load({ port, workers: 100, pauseMs: 20, whenTold: 'reconnect' });
  await load.warm(500);

  // Replaces one replica at a time and starts the new one first, as a Deployment does.
  for (const going of old) {
    await replica();
    await sleep(300);
    going.kill('SIGTERM');
    expect((await going.ended).code).toBe(0);
    const report = await going.report();
    expect(report).toMatchObject({ outcome: 'completed', cutOff: 0 });
    // It received and answered requests until the load balancer noticed.
    expect(report.answeredWhileStopping).toBeGreaterThan(50);
  }

  load.stop();
  await load.done;
  expect(load.failures).toEqual([]);
  expect(balancer.errors).toEqual([]);
  expect(load.answered).toBeGreaterThan(2000);
  balancer.close();
});
