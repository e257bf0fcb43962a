import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

/** The soak of 100 000 requests in short: `pnpm --filter @temper/recovery soak` runs it in full. */
const REQUESTS = 3000;

it('holds no socket, response, listener, stream or signal when requests have failed in every way', async () => {
  const program = fileURLToPath(new URL('soak/main.ts', import.meta.url));
  const child = spawn(process.execPath, ['--expose-gc', program, String(REQUESTS)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let printed = '';
  child.stdout.on('data', (chunk) => {
    printed += String(chunk);
  });
  const [code] = await once(child, 'close');
  const problems = printed.split('\n').filter((line) => line.startsWith('PROBLEM'));
  expect({ code, problems }).toEqual({ code: 0, problems: [] });
  expect(printed).toContain('sockets at the end: 0');
});
