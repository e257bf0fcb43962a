import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseRetryAfter, retryAfterOf } from './retry-after.ts';

const NOW = Date.UTC(1994, 10, 6, 8, 49, 7);

describe('parseRetryAfter', () => {
  it.each<[string, number | undefined]>([
    ['0', 0],
    ['120', 120_000],
    [' 5 ', 5000],
    ['007', 7000],
    ['Sun, 06 Nov 1994 08:49:37 GMT', 30_000],
    ['Sunday, 06-Nov-94 08:49:37 GMT', 30_000],
    ['Sun Nov  6 08:49:37 1994', 30_000],
    ['Sun, 06 Nov 1994 08:49:37 +0000', 30_000],
    ['Sun, 06 Nov 1994 08:00:00 GMT', 0],
    ['99999999999999999999', 2 ** 31 * 1000],
    ['', undefined],
    ['-5', undefined],
    ['1.5', undefined],
    ['1e3', undefined],
    ['5 seconds', undefined],
    ['Infinity', undefined],
    ['tomorrow', undefined],
    ['May 5', undefined],
    ['Foo, hello 5', undefined],
    ['Sun, 06 Xyz 1994 08:49:37 GMT', undefined],
    ['1994-11-06T08:49:37Z', undefined],
  ])("of '%s' means %s ms", (value, expected) => {
    expect(parseRetryAfter(value, NOW)).toBe(expected);
  });

  it('reads asctime dates as UTC in any time zone', () => {
    const zone = process.env.TZ;
    try {
      process.env.TZ = 'Asia/Tokyo';
      expect(parseRetryAfter('Sun Nov  6 08:49:37 1994', NOW)).toBe(30_000);
    } finally {
      if (zone === undefined) delete process.env.TZ;
      else process.env.TZ = zone;
    }
  });

  it('returns the wait until any HTTP date, never negative', () => {
    const dates = fc.date({
      min: new Date(0),
      max: new Date('2100-01-01'),
      noInvalidDate: true,
    });
    fc.assert(
      fc.property(dates, dates, (at, now) => {
        const wanted = Math.floor(at.getTime() / 1000) * 1000 - now.getTime();
        expect(parseRetryAfter(at.toUTCString(), now.getTime())).toBe(Math.max(0, wanted));
      }),
    );
  });

  it('returns a finite wait or undefined for any text', () => {
    fc.assert(
      fc.property(fc.string(), fc.integer(), (value, now) => {
        const wait = parseRetryAfter(value, now);
        if (wait === undefined) return;
        expect(Number.isFinite(wait)).toBe(true);
        expect(wait).toBeGreaterThanOrEqual(0);
      }),
    );
  });
});

describe('retryAfterOf', () => {
  it.each<[string, unknown, number | undefined]>([
    ['by a number of its own', { retryAfterMs: 1500 }, 1500],
    ['but never less than nothing', { retryAfterMs: -5 }, 0],
    ['by the headers of a response', new Response('', { headers: { 'retry-after': '3' } }), 3000],
    ['by a plain object in any case', { headers: { 'RETRY-After': '3' } }, 3000],
    ['by a Map', { headers: new Map([['retry-after', '3']]) }, 3000],
    ['by a list of values', { headers: { 'retry-after': ['3', '9'] } }, 3000],
    ['by a number in the headers', { headers: { 'retry-after': 3 } }, 3000],
    [
      "by its response's headers",
      { response: { headers: new Headers({ 'Retry-After': '3' }) } },
      3000,
    ],
    ['by its cause', new Error('x', { cause: { retryAfterMs: 7 } }), 7],
    ['not by Infinity', { retryAfterMs: Number.POSITIVE_INFINITY }, undefined],
    ['not by NaN', { retryAfterMs: Number.NaN }, undefined],
    ['not by what is no date', { headers: { 'retry-after': 'soon' } }, undefined],
    ['not when it says nothing', new Error('x'), undefined],
    ['not when it is no object', 'retry-after: 3', undefined],
    ['not when it is nothing', undefined, undefined],
  ])('%s', (_, outcome, expected) => {
    expect(retryAfterOf(outcome, NOW)).toBe(expected);
  });

  it('stops at a cycle and does not throw what a getter throws', () => {
    const loop: { cause?: unknown } = {};
    loop.cause = loop;
    expect(retryAfterOf(loop, NOW)).toBeUndefined();
    const hostile = new Proxy(
      {},
      {
        get() {
          throw new Error('hostile');
        },
      },
    );
    expect(retryAfterOf(hostile, NOW)).toBeUndefined();
    expect(retryAfterOf({ headers: hostile }, NOW)).toBeUndefined();
    expect(retryAfterOf({ headers: { get: () => expect.unreachable() } }, NOW)).toBeUndefined();
  });
});
