import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

/** Soaks of 100 000 requests in short: `pnpm --filter @temper/recovery soak` and `soak:http2` run them in full. */
it.each([
  ['http1', 3000],
  ['http2-undici7', 1500],
  ['http2-undici8', 1500],
] as const)(
  'holds no socket, response, listener, stream or signal when requests have failed in every way, over %s',
  async (protocol, requests) => {
    const program = fileURLToPath(new URL('soak/main.ts', import.meta.url));
    const child = spawn(process.execPath, ['--expose-gc', program, String(requests), protocol], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let printed = '';
    child.stdout.on('data', (chunk) => {
      printed += String(chunk);
    });
    const [code] = await once(child, 'close');
    const problems = printed.split('\n').filter((line) => line.startsWith('PROBLEM'));
    expect({ code, problems }).toEqual({ code: 0, problems: [] });
    expect(printed).toMatch(
      protocol === 'http2-undici8' ? /sockets at the end: \d\n/ : /sockets at the end: 0\n/,
    );
  },
);
