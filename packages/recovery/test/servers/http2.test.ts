import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

const REQUESTS = 400;

/**
 * On undici 7 alone: undici 8 may stop the process in node:http2. `pnpm --filter @temper/recovery attack:http2
 * <requests> <seed> <releases>` sends more.
 */
it.each([1, 2])(
  'tells callers over HTTP/2 what became of their requests, seed %d',
  async (seed) => {
    const program = fileURLToPath(new URL('http2/main.ts', import.meta.url));
    const child = spawn(process.execPath, [program, String(REQUESTS), String(seed), '7'], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let printed = '';
    child.stdout.on('data', (chunk) => {
      printed += String(chunk);
    });
    const [code] = await once(child, 'close');
    const problems = printed.split('\n').filter((line) => line.startsWith('PROBLEM'));
    expect({ code, problems }).toEqual({ code: 0, problems: [] });
    expect(printed).toContain(`seed ${seed}: ${REQUESTS} requests, 0 problems`);
  },
);
