import { runInNewContext } from 'node:vm';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseRetryAfter, retryAfterOf } from './retry-after.ts';

/** What a client throws. */
const failure = (parts: object): Error => Object.assign(new Error('x'), parts);
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

const FIELD = { 'retry-after': '3' };
const BODY = { status: 503, headers: FIELD, response: { status: 503, headers: FIELD } };

describe('retryAfterOf', () => {
  it.each<[string, unknown, number | undefined]>([
    ['by a number of its own', failure({ retryAfterMs: 1500 }), 1500],
    ['but never less than nothing', failure({ retryAfterMs: -5 }), 0],
    ['by the headers of a response', new Response('', { headers: { 'retry-after': '3' } }), 3000],
    [
      'by a plain object in any case',
      failure({ status: 429, headers: { 'RETRY-After': '3' } }),
      3000,
    ],
    ['by a Map', failure({ headers: new Map([['retry-after', '3']]) }), 3000],
    [
      'by a list of values',
      failure({ statusCode: 429, headers: { 'retry-after': ['3', '9'] } }),
      3000,
    ],
    ['by a number in the headers', failure({ status: 429, headers: { 'retry-after': 3 } }), 3000],
    [
      "by its response's headers",
      failure({ response: { headers: new Headers({ 'Retry-After': '3' }) } }),
      3000,
    ],
    ['by its cause', new Error('x', { cause: failure({ retryAfterMs: 7 }) }), 7],
    [
      'by a response as its cause',
      new Error('x', { cause: new Response('', { headers: { 'retry-after': '3' } }) }),
      3000,
    ],
    ['by the response of got', failure({ response: { statusCode: 503, headers: FIELD } }), 3000],
    ['by the response of axios', failure({ response: { status: 503, headers: FIELD } }), 3000],
    ['by $response of AWS', failure({ $response: { statusCode: 503, headers: FIELD } }), 3000],
    ['by meta of Elasticsearch', failure({ meta: { statusCode: 503, headers: FIELD } }), 3000],
    [
      'not by a parsed body as its cause',
      new Error('x', { cause: { retryAfterMs: 7 } }),
      undefined,
    ],
    ['not by headers of a body as its cause', new Error('x', { cause: BODY }), undefined],
    ['not by a body as its response', failure({ response: { headers: FIELD } }), undefined],
    ['not by a number on its response', failure({ response: { retryAfterMs: 7 } }), undefined],
    ['not by headers without a status', failure({ headers: FIELD }), undefined],
    ['not by Infinity', failure({ retryAfterMs: Number.POSITIVE_INFINITY }), undefined],
    ['not by NaN', failure({ retryAfterMs: Number.NaN }), undefined],
    ['not by what is no date', failure({ headers: { 'retry-after': 'soon' } }), undefined],
    ['not by a body with retryAfterMs', { retryAfterMs: 1500 }, undefined],
    ['not by a body with headers', { status: 429, headers: { 'retry-after': '3' } }, undefined],
    ['not by a body with a response', { response: { headers: { 'retry-after': 3 } } }, undefined],
    ['not by a body with a cause', { cause: failure({ retryAfterMs: 7 }) }, undefined],
    ['by an error of another realm', runInNewContext('e = new Error(); e.retryAfterMs = 7; e'), 7],
    ['not when it says nothing', new Error('x'), undefined],
    ['not when it is no object', 'retry-after: 3', undefined],
    ['not when it is nothing', undefined, undefined],
  ])('%s', (_, outcome, expected) => {
    expect(retryAfterOf(outcome, NOW)).toBe(expected);
  });

  it('stops at a cycle and does not throw what a getter throws', () => {
    const loop = failure({});
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
    expect(retryAfterOf(failure({ headers: hostile }), NOW)).toBeUndefined();
    expect(retryAfterOf({ headers: hostile }, NOW)).toBeUndefined();
    const unreachable = { get: () => expect.unreachable() };
    expect(retryAfterOf({ headers: unreachable }, NOW)).toBeUndefined();
    expect(retryAfterOf(failure({ headers: unreachable }), NOW)).toBeUndefined();
  });
});
