import { concurrency } from '@temper/ratelimit';
import { retry } from '@temper/retry';
import { ManualClock, settle } from '@temper/testkit/clock';
import { describe, expect, it } from 'vitest';
import { fallback, pipeline, timeout } from '../../src/index.ts';

const down = Object.assign(new Error('down'), { code: 'ECONNRESET' });

describe('a deadline on a clock that is far ahead', () => {
  it('leaves the time to a retry, a limiter and a fallback that read another clock', async () => {
    const [a, b] = [new ManualClock(), new ManualClock()];
    a.jump(1e9);
    const outer = timeout({ clock: a, timeoutMs: 1000 });
    const inner = retry({ clock: b, initialDelayMs: 10, jitter: 'none' });
    const bulk = concurrency({ clock: b, limit: 1 });
    let n = 0;
    const asked = outer.tryExecute((parent) =>
      inner.execute(() => (++n < 3 ? Promise.reject(down) : bulk.execute(() => 'ok', { parent })), {
        parent,
      }),
    );
    await b.advance(100);
    expect(await asked).toEqual({ ok: true, value: 'ok' });
    const lease = bulk.tryAcquire();
    const waiting = outer.tryExecute((parent) => bulk.execute(() => 'ok', { parent }));
    await b.advance(100);
    lease?.release();
    await settle();
    expect(await waiting).toEqual({ ok: true, value: 'ok' });
    const f = fallback({ clock: b, handler: () => 'second', reserveMs: 100 });
    const reserved = outer.tryExecute((parent) =>
      f.execute(() => new Promise(() => {}), { parent }),
    );
    await settle();
    await b.advance(900);
    expect(await reserved).toEqual({ ok: true, value: 'second' });
    const p = pipeline({ clock: a }, outer, inner);
    n = 0;
    const retried = p.tryExecute(() => (++n < 3 ? Promise.reject(down) : 'ok'));
    await settle();
    await b.advance(1000);
    expect(await retried).toEqual({ ok: true, value: 'ok' });
  });
});
