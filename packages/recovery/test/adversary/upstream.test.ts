import { boundOf } from '@temper/testkit/repository/boundaries';
import { expect, it } from 'vitest';
import { type Answer, cut, status } from '../fetch/fault-server.ts';
import { quick, serve } from '../fetch/guarded.ts';

const cutBody: Answer = (response, request) => {
  response.writeHead(200, { 'content-length': 100, etag: '"1"' });
  response.write('begun', () => request.socket.destroy());
};

const SCRIPTS: readonly (readonly [string, Answer])[] = [
  ['answers 503', status(503)],
  ['asks for a retry at once', status(429, { 'retry-after': '0' })],
  ['cuts connections', cut],
  ['cuts bodies', cutBody],
];

it.each(SCRIPTS)('a call gives up when its upstream %s for ever', async (_, answer) => {
  const server = await serve(...Array<Answer>(50).fill(answer));
  await quick()(server.url())
    .then((response) => response.text())
    .catch(() => undefined);
  expect(server.seen.length).toBeGreaterThan(1);
  expect(server.seen.length).toBeLessThanOrEqual(boundOf('upstream.requests'));
});
