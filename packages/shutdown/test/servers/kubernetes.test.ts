import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { Balancer } from './balancer.ts';
import { Load } from './load.ts';
import { Fixture } from './processes.ts';

it('a rolling update behind a balancer that learns late loses no request', async () => {
  // The balancer goes on sending for up to half a second after readiness has failed.
  const balancer = new Balancer({ probeMs: 100, lagMs: 400 });
  const replica = async (): Promise<Fixture> => {
    const started = new Fixture('replica', { DELAY_MS: '2000' });
    balancer.add(await started.port());
    return started;
  };
  const old = [await replica(), await replica()];
  const port = await balancer.listen();
  const load = new Load({ port, workers: 100, pauseMs: 20, whenTold: 'reconnect' });
  await load.warm(500);

  // One at a time, the new one first, as a Deployment does.
  for (const going of old) {
    await replica();
    await sleep(300);
    going.kill('SIGTERM');
    expect((await going.ended).code).toBe(0);
    const report = await going.report();
    expect(report).toMatchObject({ outcome: 'completed', cutOff: 0 });
    // It was sent requests all the while that the balancer did not know, and answered them.
    expect(report.answeredWhileStopping).toBeGreaterThan(50);
  }

  load.stop();
  await load.done;
  expect(load.failures).toEqual([]);
  expect(balancer.errors).toEqual([]);
  expect(load.answered).toBeGreaterThan(2000);
  balancer.close();
}, 60_000);
