import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { expectNoProblems } from './judging-program.ts';

const REQUESTS = 400;

/** `pnpm --filter @temper/recovery attack:http2 <requests> <seed> <releases>` sends more. */
it.each([
  [1, '7'],
  [2, '7'],
  [3, '8'],
])(
  'tells callers over HTTP/2 what became of their requests, seed %d on undici %s',
  async (seed, releases) => {
    const program = new URL('http2/main.ts', import.meta.url);
    const printed = await expectNoProblems(program, [String(REQUESTS), String(seed), releases]);
    expect(printed).toContain(`seed ${seed}: ${REQUESTS} requests, 0 problems`);
  },
);

// When Node goes on after both, uploads over HTTP/2 can be given up with undici 8: attack it with bodies then.
it.each([
  ['close', 'goes on\n'],
  ['destroy', 'goes on\n'],
  ['both', ''],
])('of uploads that are given up by %s, node:http2 says: %j', async (how, expected) => {
  const program = fileURLToPath(new URL('http2/uploads.ts', import.meta.url));
  const child = spawn(process.execPath, [program, how], { stdio: ['ignore', 'pipe', 'inherit'] });
  let printed = '';
  child.stdout.on('data', (chunk) => {
    printed += String(chunk);
  });
  const patience = new AbortController();
  const stopped = sleep(4000, undefined, patience).then(
    () => child.kill('SIGKILL'),
    () => false,
  );
  await once(child, 'close');
  patience.abort();
  expect([printed, await stopped]).toEqual([expected, expected === '']);
});
