import { expect, it } from 'vitest';
import { expectNoProblems } from './judging-program.ts';

/** Soaks of 100 000 requests in short: `pnpm --filter @temper/recovery soak` and `soak:http2` run them in full. */
it.each([
  ['http1', 3000],
  ['http2-undici7', 1500],
  ['http2-undici8', 1500],
] as const)(
  'holds no socket, response, listener, stream or signal when requests have failed in every way, over %s',
  async (protocol, requests) => {
    const program = new URL('soak/main.ts', import.meta.url);
    const printed = await expectNoProblems(program, [String(requests), protocol]);
    expect(printed).toMatch(
      protocol === 'http2-undici8' ? /sockets at the end: \d\n/ : /sockets at the end: 0\n/,
    );
  },
);
