import { once } from 'node:events';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { settle } from '@temper/testkit/clock';
import { describe, expect, it } from 'vitest';
import { resilientFetch } from '../../src/fetch/index.ts';
import { type FaultServer, half } from './fault-server.ts';
import { serve } from './guarded.ts';

setFlagsFromString('--expose-gc');
const collect: () => void = runInNewContext('gc');

/** Sends a request, and does something with the response; nothing of it is held afterwards. */
async function forget(
  server: FaultServer,
  use: (response: Response) => unknown = () => undefined,
): Promise<void> {
  const fetch = resilientFetch({ exchangeTimeoutMs: Number.POSITIVE_INFINITY });
  await use(await fetch(server.url()));
}

async function collected(server: FaultServer): Promise<void> {
  const closed = once(server.responses[0] as never, 'close');
  let open = true;
  void closed.then(() => {
    open = false;
  });
  while (open) {
    collect();
    await settle();
  }
}

describe('a response of resilientFetch that nobody holds any more', () => {
  it.each([
    ['was never read', undefined],
    ['was cloned', (response: Response) => response.clone()],
    ['was given to nobody but its body', ({ body }: Response) => void body],
  ])('releases its connection, though it %s', async (_, use) => {
    const server = await serve(half());
    await forget(server, use);
    await collected(server);
    expect(server.responses[0]?.closed).toBe(true);
  });

  it('is read to its end as long as its body is held', async () => {
    const server = await serve(half());
    let body: ReadableStream<Uint8Array> | null = null;
    await forget(server, (response) => {
      body = response.body;
    });
    for (let round = 0; round < 10; round++) {
      collect();
      await settle();
    }
    server.responses[0]?.end('second half');
    expect(await new Response(body).text()).toBe('first half, second half');
  });
});
