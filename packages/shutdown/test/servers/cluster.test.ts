import { expect, it } from 'vitest';
import { Load } from './load.ts';
import { Fixture } from './processes.ts';

it.each(['round robin', 'none'])(
  'loses no request in a rolling restart of four cluster workers, scheduling policy %s',
  async (policy) => {
    const service = new Fixture('cluster', { POLICY: policy });
    const port = await service.port();
    const load = new Load({ port, workers: 100, pauseMs: 20, whenTold: 'reconnect' });
    await load.warm(500);
    for (let round = 1; round <= 2; round++) {
      service.kill('SIGHUP');
      await service.said(new RegExp(`(replaced[\\s\\S]*){${round}}`));
    }
    const before = load.answered;
    await load.warm(before + 500);
    load.stop();
    await load.done;
    service.kill('SIGTERM');
    const { code, stdout } = await service.ended;
    expect(load.failures).toEqual([]);
    expect(code).toBe(0);
    const ended = stdout.split('\n').filter((line) => line.startsWith('{'));
    expect(ended.map((line) => JSON.parse(line))).toEqual(
      new Array(12).fill({
        code: 0,
        signal: null,
        report: { outcome: 'completed', cutOff: 0 },
        // The worker has left the cluster by itself: the primary need not take it for a crash.
        asked: true,
      }),
    );
  },
  90_000,
);
