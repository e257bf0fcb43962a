import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { SHUTDOWN_DEFAULTS } from '../../src/options.ts';
import { Fixture } from './processes.ts';

const manifest =
  /```yaml\n([\s\S]+?)```/.exec(
    readFileSync(new URL('../../../../docs/kubernetes.md', import.meta.url), 'utf8'),
  )?.[1] ?? '';

/** A probe of the manifest. */
function probeOf(kind: string) {
  const text = new RegExp(`${kind}:\\n((?: {12}.*\\n)+)`).exec(manifest)?.[1] ?? '';
  const number = (name: string) => Number(new RegExp(`${name}: (\\d+)`).exec(text)?.[1]);
  return {
    path: /path: (\S+),/.exec(text)?.[1] ?? '',
    timeoutMs: number('timeoutSeconds') * 1000,
    failureThreshold: number('failureThreshold'),
  };
}

/**
 * Probes as a kubelet does, but more often: counts the failures in a row, and an answer that is late or
 * no success from 200 to 399 is one.
 *
 * @returns whether the threshold was reached within the number of probes, and the last status
 */
async function probe(port: number, kind: string, probes: number) {
  const { path, timeoutMs, failureThreshold } = probeOf(kind);
  let failures = 0;
  let status = 0;
  for (let n = 0; n < probes && failures < failureThreshold; n++) {
    status = await fetch(`http://127.0.0.1:${port}${path}`, {
      signal: AbortSignal.timeout(timeoutMs),
    }).then(
      (answer) => answer.status,
      () => 0,
    );
    failures = status >= 200 && status < 400 ? 0 : failures + 1;
    await sleep(100);
  }
  return { failed: failures >= failureThreshold, status };
}

it('never kills a service that only waits for a dependency, and sends it no requests', async () => {
  const service = new Fixture('probed', { MODE: 'waits for a dependency' });
  const port = await service.port();
  expect(await probe(port, 'readinessProbe', 10)).toEqual({ failed: true, status: 503 });
  expect(await probe(port, 'livenessProbe', 30)).toEqual({ failed: false, status: 200 });
  service.kill();
  expect((await service.ended).code).toBe(0);
});

it('kills a service whose event loop is stuck, after three late answers', async () => {
  const service = new Fixture('probed', { MODE: 'is stuck' });
  const port = await service.port();
  expect(probeOf('livenessProbe').failureThreshold).toBe(3);
  expect(await probe(port, 'livenessProbe', 30)).toEqual({ failed: true, status: 0 });
  service.kill('SIGKILL');
  expect((await service.ended).signal).toBe('SIGKILL');
});

it('gives the shutdown of the defaults the time it needs', () => {
  const grace = Number(/terminationGracePeriodSeconds: (\d+)/.exec(manifest)?.[1]);
  expect(grace * 1000).toBeGreaterThan(SHUTDOWN_DEFAULTS.timeoutMs + SHUTDOWN_DEFAULTS.lingerMs);
});
