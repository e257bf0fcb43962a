import { describe, expect, it, vi } from 'vitest';
import { EXCHANGES, http1Load } from '../../src/client/http1.ts';
import { Tally } from '../../src/client/tally.ts';
import { type AppSettings, Pm2 } from './pm2.ts';

const CLIENTS = 60;

function start(port: number) {
  const tally = new Tally();
  const load = http1Load(
    { port, tally, workers: CLIENTS, whenTold: 'reconnect' },
    EXCHANGES.work,
    false,
  );
  return { tally, load };
}

/** Waits for that many further answers. */
function more(tally: Tally, answers: number): Promise<unknown> {
  const until = tally.answered + answers;
  return vi.waitUntil(() => tally.answered >= until, { timeout: 60_000, interval: 10 });
}

const ended = (kind: string) => ({ outcome: 'completed', kind, cutOff: 0, exitCode: 0 });

// PM2 kills a process 1600 ms after it asked it to end, unless told otherwise.
const SIGNAL: AppSettings = { env: { SIGNAL: 'SIGINT' } };
const MESSAGE: AppSettings = { shutdown_with_message: true, env: { MESSAGE: 'shutdown' } };
const BOTH: AppSettings = { ...MESSAGE, env: { ...SIGNAL.env, ...MESSAGE.env } };

describe('PM2', () => {
  it.each([
    ['SIGINT', SIGNAL, 'signal'],
    // It sends SIGINT in this case, although it is to send a message.
    ['shutdown_with_message', BOTH, 'signal'],
  ])(
    'reloads a cluster of two under load without a lost or refused request, with %s',
    async (_, settings, kind) => {
      await using pm2 = new Pm2();
      const port = await pm2.start({ ...settings, exec_mode: 'cluster', instances: 2 });
      const { tally, load } = start(port);
      await more(tally, 3 * CLIENTS);
      for (let round = 0; round < 2; round++) {
        await pm2.run('reload', 'app');
        await more(tally, 3 * CLIENTS);
      }
      load.stop();
      await load.done;
      expect(tally).toMatchObject({ lost: [], refused: 0, sent: tally.answered });
      expect(pm2.reports()).toEqual(new Array(4).fill(ended(kind)));
      expect(pm2.exits()).toHaveLength(4);
      expect(pm2.exits().join()).not.toContain('SIGKILL');
    },
  );

  it.each([
    ['reload', 'SIGINT', SIGNAL, 'signal'],
    ['stop', 'SIGINT', SIGNAL, 'signal'],
    ['reload', 'shutdown_with_message', MESSAGE, 'message'],
    ['stop', 'shutdown_with_message', MESSAGE, 'message'],
  ])('loses no request of a forked app on %s, with %s', async (command, _, settings, kind) => {
    await using pm2 = new Pm2();
    const port = await pm2.start({ ...settings, exec_mode: 'fork' });
    const { tally, load } = start(port);
    await more(tally, 3 * CLIENTS);
    await pm2.run(command, 'app');
    load.stop();
    await load.done;
    // Clients that connect while no process listens are refused.
    expect(tally.lost).toEqual([]);
    expect(tally.answered).toBe(tally.sent);
    expect(pm2.reports()).toEqual([ended(kind)]);
    expect(pm2.exits().join()).not.toContain('SIGKILL');
    if (command === 'stop') return;
    const after = start(port);
    await more(after.tally, CLIENTS);
    after.load.stop();
    await after.load.done;
    expect(after.tally).toMatchObject({ lost: [], refused: 0 });
  });
});
