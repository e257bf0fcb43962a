import { describe, expect, it } from 'vitest';
import { ManualClock, settle } from '../manual-clock.ts';
import { seededRandom } from '../seeded-random.ts';
import { atRate, faulty, inSequence } from './faults.ts';
import { faultyFetch } from './faulty-fetch.ts';

const down = new Error('down');

describe('a faulty operation', () => {
  it('has one fault for each call in order, and then none', async () => {
    const clock = new ManualClock();
    const double = faulty(
      (n: number) => 2 * n,
      inSequence({ error: down }, { value: 7 }, { delayMs: 50 }),
      {
        clock,
      },
    );
    await expect(double(1)).rejects.toBe(down);
    expect(await double(1)).toBe(7);
    const late = double(4);
    await clock.advance(49);
    expect(clock.pending).toBe(1);
    await clock.advance(1);
    expect([await late, await double(5), double.calls]).toEqual([8, 10, 4]);
  });

  it('hangs until its signal aborts', async () => {
    const controller = new AbortController();
    const operation = faulty(
      (_: { signal: AbortSignal }) => 1,
      () => 'hang',
    );
    let ended: unknown;
    operation({ signal: controller.signal }).catch((reason: unknown) => {
      ended = reason;
    });
    await settle();
    expect(ended).toBeUndefined();
    controller.abort(down);
    await settle();
    expect(ended).toBe(down);
    await expect(operation({ signal: controller.signal })).rejects.toBe(down);
  });

  it('fails at a rate that repeats', async () => {
    const outcomes = async (): Promise<boolean[]> => {
      const operation = faulty(() => true, atRate(0.3, { value: false }, seededRandom(1)));
      return Promise.all(Array.from({ length: 1000 }, () => operation()));
    };
    const first = await outcomes();
    expect(first).toEqual(await outcomes());
    expect(first.filter((passed) => !passed).length).toBeGreaterThan(250);
    expect(first.filter((passed) => !passed).length).toBeLessThan(350);
    expect(() => atRate(1.1, 'hang', () => 0)).toThrow(RangeError);
  });
});

describe('a faulty fetch', () => {
  it('fails and answers as it is told', async () => {
    const stub = async (): Promise<Response> => new Response('sent');
    const fetch = faultyFetch(
      inSequence('refused', 'reset', { error: down }, { status: 503, body: 'busy' }, 'cut'),
      { fetch: stub },
    );
    const url = 'https://example.com';
    const cause = (code: string) =>
      expect.objectContaining({ cause: expect.objectContaining({ code }) });
    await expect(fetch(url)).rejects.toEqual(cause('ECONNREFUSED'));
    await expect(fetch(url)).rejects.toEqual(cause('ECONNRESET'));
    await expect(fetch(url)).rejects.toBe(down);
    const busy = await fetch(url);
    expect([busy.status, await busy.text()]).toEqual([503, 'busy']);
    await expect((await fetch(url)).text()).rejects.toEqual(cause('UND_ERR_SOCKET'));
    expect(await (await fetch(url)).text()).toBe('sent');
    expect(fetch.calls).toBe(6);
  });

  it('ends with the signal of the request', async () => {
    const fetch = faultyFetch(() => 'hang');
    const controller = new AbortController();
    const { signal } = controller;
    const both = [
      fetch('https://example.com', { signal }),
      fetch(new Request('https://example.com', { signal })),
    ];
    controller.abort(down);
    for (const request of both) await expect(request).rejects.toBe(down);
  });
});
