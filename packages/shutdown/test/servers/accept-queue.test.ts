import { execFile, spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { closeUnderConnections, closeUnderLateClients, type Ends } from './connecting.ts';

const CLIENTS = 100;
const RUNS = 5;
const RUNS_FROM_AFAR = 10;
const NONE_LOST: Partial<Ends> = { lost: [], refused: CLIENTS };

/** Whether this user may make networks of its own. */
const mayUnshare =
  spawnSync('unshare', ['-rn', 'sh', '-c', 'ip link add near type veth && tc -V && nsenter -V'])
    .status === 0;

describe.runIf(process.platform === 'linux')('closing a listener to which clients connect', () => {
  it.each(['127.0.0.1', '::', '0.0.0.0'])(
    `resets none of the connections to %s, in ${RUNS} of ${RUNS} runs`,
    async (host) => {
      const to = host === '::' ? '::1' : '127.0.0.1';
      for (let run = 0; run < RUNS; run++) {
        const ends = await closeUnderConnections({ host, to, clients: CLIENTS });
        expect(ends).toMatchObject(NONE_LOST);
      }
    },
    300_000,
  );

  it.each([
    [0, 1],
    [0, 3],
    [1, 1],
    [3, 2],
    [2, 0],
  ])(
    'answers %d clients that connect before its own connection to itself, and %d behind that',
    async (before, behind) => {
      const got = await closeUnderLateClients(before, behind);
      expect(got).toHaveLength(before + behind);
      for (const each of got) expect(each).toMatch(/answered$/);
    },
  );

  // At first the link is not busy yet; after 30 requests of each it is, and handshakes are open all the time.
  it.runIf(mayUnshare).each([3, 30])(
    `resets none of the connections whose handshakes take time, after %d requests of each client, in ${RUNS_FROM_AFAR} of ${RUNS_FROM_AFAR} runs`,
    async (requests) => {
      const fixture = fileURLToPath(new URL('fixtures/connecting-from-afar.ts', import.meta.url));
      const args = ['-rn', process.execPath, '--experimental-strip-types', fixture];
      const { stdout } = await promisify(execFile)('unshare', args, {
        env: { ...process.env, RUNS: String(RUNS_FROM_AFAR), REQUESTS: String(requests) },
      });
      const runs = stdout.trim().split('\n');
      const ends = runs.map((line) => JSON.parse(line) as Ends);
      expect(ends).toHaveLength(RUNS_FROM_AFAR);
      for (const each of ends) expect(each).toMatchObject(NONE_LOST);
    },
    300_000,
  );
});
