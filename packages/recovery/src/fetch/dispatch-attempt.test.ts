import { Call } from '@temper/core/policy';
import { describe, expect, it } from 'vitest';
import { DispatchAttempt } from './dispatch-attempt.ts';
import type { DispatchController, DispatchHandler } from './dispatch-types.ts';
import { RelayController } from './relay.ts';

/** A connection, as a handler of undici sees it. */
class Connection implements DispatchController {
  aborted = false;
  paused = false;
  reason: Error | null = null;
  rawHeaders = ['raw', 'header'];
  rawTrailers = ['raw', 'trailer'];

  abort(reason: Error): void {
    this.aborted = true;
    this.reason = reason;
  }

  pause(): void {
    this.paused = true;
  }

  resume(): void {
    this.paused = false;
  }
}

function make(overrides: Partial<DispatchHandler> = {}, once = false) {
  const told: unknown[][] = [];
  const handler: DispatchHandler = {
    onResponseStart: (_, status, headers, message) =>
      void told.push(['start', status, headers, message]),
    onResponseData: (_, chunk) => void told.push(['data', chunk]),
    onResponseEnd: (_, trailers) => void told.push(['end', trailers]),
    onResponseError: (_, error) => void told.push(['error', error.message]),
    onResponseStarted: () => void told.push(['started']),
    onBodySent: (chunk) => void told.push(['sent', chunk]),
    onRequestSent: () => void told.push(['all sent']),
    ...overrides,
  };
  const aborts: Error[] = [];
  const relay = new RelayController((reason) => aborts.push(reason));
  const begun: unknown[] = [];
  const route = {
    asked: 'http://a',
    last: undefined,
    arrived: false,
    announced: false,
    sent: false,
    isOutlived: false,
  };
  const settled: unknown[] = [];
  const attempt = new DispatchAttempt(
    {
      host: {
        relay,
        name: 'orders',
        tell: (event) => event(handler, relay),
        begun: (context) => begun.push(context),
        data: (chunk) => handler.onResponseData?.(relay, chunk),
        ended: (trailers) => handler.onResponseEnd?.(relay, trailers),
        broken: (error) => handler.onResponseError?.(relay, error),
      },
      resolve: () => settled.push('head'),
      reject: (error) => settled.push((error as Error).message),
      unsent: () => settled.push('unsent'),
      once,
    },
    { call: new Call(), origin: route.asked, route },
  );
  const connection = new Connection();
  return { told, relay, aborts, begun, route, settled, attempt, connection };
}

const why = new Error('why');

describe('an attempt', () => {
  it('holds its response and all later events until it is adopted', () => {
    const { told, relay, begun, route, settled, attempt, connection } = make();
    expect(route).toMatchObject({ announced: true, sent: false });
    attempt.onRequestStart(connection, 'context');
    expect(route.sent).toBe(true);
    attempt.onResponseStarted();
    attempt.onBodySent('chunk');
    attempt.onRequestSent();
    expect([begun, attempt.status, attempt.headers]).toEqual([['context'], undefined, undefined]);
    attempt.onResponseStart(connection, 200, { a: '1' }, 'OK');
    attempt.onResponseData(connection, 'one');
    expect(told).toEqual([['started'], ['sent', 'chunk'], ['all sent']]);
    expect([settled, connection.paused]).toEqual([['head'], true]);
    expect([attempt.status, { ...attempt.headers }]).toEqual([200, { a: '1' }]);

    attempt.adopt('response');
    attempt.onResponseData(connection, 'two');
    attempt.onResponseEnd(connection, { t: '2' });
    expect(told.slice(3)).toEqual([
      ['start', 200, { a: '1' }, 'OK'],
      ['data', 'one'],
      ['data', 'two'],
      ['end', { t: '2' }],
    ]);
    expect(connection.paused).toBe(false);
    expect([relay.rawHeaders, relay.rawTrailers]).toEqual([
      ['raw', 'header'],
      ['raw', 'trailer'],
    ]);
  });

  it('does not fail with what another request was aborted with, in its queue or in its body', () => {
    const reason = new Error('of another');
    const aborted = make();
    aborted.attempt.onRequestStart(aborted.connection, null);
    aborted.attempt.drop(reason);
    const lost =
      "The connection of HTTP policy 'orders' ended when another request on it was aborted.";

    const queued = make();
    queued.attempt.onResponseError(queued.connection, reason);
    expect(queued.settled).toEqual([lost]);

    const streaming = make();
    streaming.attempt.onRequestStart(streaming.connection, null);
    streaming.attempt.onResponseStart(streaming.connection, 200, {});
    streaming.attempt.adopt('response');
    streaming.attempt.onResponseError(streaming.connection, reason);
    expect(streaming.told.at(-1)).toEqual(['error', lost]);

    const own = make();
    own.attempt.onRequestStart(own.connection, null);
    own.attempt.onResponseStart(own.connection, 200, {});
    own.attempt.adopt('response');
    own.relay.abort(reason);
    own.attempt.onResponseError(own.connection, reason);
    expect(own.told.at(-1)).toEqual(['error', 'of another']);
  });

  it('stays paused when the handler pauses', () => {
    const { relay, attempt, connection } = make({ onResponseStart: (own) => own.pause() });
    attempt.onRequestStart(connection, null);
    attempt.onResponseStart(connection, 200, {});
    attempt.adopt('response');
    expect([connection.paused, relay.paused]).toEqual([true, true]);
    relay.resume();
    expect([connection.paused, relay.paused]).toEqual([false, false]);
  });

  it('passes an error after the headers on only when it is adopted', () => {
    const { told, settled, attempt, connection } = make();
    attempt.onRequestStart(connection, null);
    attempt.onResponseStart(connection, 200, {});
    attempt.onResponseError(connection, new Error('cut'));
    expect([settled, told]).toEqual([['head'], []]);
    attempt.adopt('response');
    expect(told).toEqual([
      ['start', 200, {}, undefined],
      ['error', 'cut'],
    ]);
  });

  it('fails with an error before the headers, which is not passed to its handler', () => {
    const { told, settled, attempt, connection } = make();
    attempt.onRequestStart(connection, null);
    attempt.onResponseError(connection, new Error('refused'));
    expect([settled, told]).toEqual([['refused'], []]);
  });

  it('passes nothing on after it was dropped', () => {
    const { told, attempt, connection } = make();
    attempt.onRequestStart(connection, null);
    attempt.onResponseStart(connection, 503, {});
    attempt.onResponseData(connection, 'one');
    attempt.drop(why);
    expect(connection.reason).toBe(why);
    attempt.onResponseData(connection, 'two');
    attempt.onResponseStart(connection, 200, {});
    attempt.onResponseError(connection, why);
    attempt.onResponseStarted();
    attempt.onBodySent('late');
    attempt.onRequestSent();
    expect(told).toEqual([]);
  });

  it('is not dropped after it was adopted', () => {
    const { told, attempt, connection } = make();
    attempt.onRequestStart(connection, null);
    attempt.onResponseStart(connection, 200, {});
    attempt.adopt('response');
    attempt.drop(why);
    attempt.giveUp(why);
    expect(connection.aborted).toBe(false);
    attempt.onResponseData(connection, 'still');
    expect(told.at(-1)).toEqual(['data', 'still']);
  });

  it('is ended only before its headers', () => {
    const early = make();
    early.attempt.onRequestStart(early.connection, null);
    early.attempt.giveUp(why);
    early.attempt.giveUp(new Error('again'));
    expect([early.settled, early.connection.reason]).toEqual([['why'], why]);

    const late = make();
    late.attempt.onRequestStart(late.connection, null);
    late.attempt.onResponseStart(late.connection, 200, {});
    late.attempt.giveUp(why);
    expect([late.settled, late.connection.aborted]).toEqual([['head'], false]);
  });

  it('aborts a connection that it gets after it was ended', () => {
    const { begun, attempt, connection } = make();
    attempt.giveUp(why);
    attempt.onRequestStart(connection, null);
    expect(connection.reason).toMatchObject({ name: why.name, message: why.message });
    expect(begun).toEqual([]);
  });

  it('passes early hints on, which are not the response', () => {
    const { told, settled, attempt, connection } = make();
    attempt.onRequestStart(connection, null);
    attempt.onResponseStart(connection, 103, { link: 'x' });
    expect([told, settled]).toEqual([[['start', 103, { link: 'x' }, undefined]], []]);
    attempt.onResponseStart(connection, 200, {});
    expect(settled).toEqual(['head']);
  });

  it('aborts its connection when the handler throws', () => {
    const { attempt, connection } = make({
      onResponseStart: () => {
        throw why;
      },
    });
    attempt.onRequestStart(connection, null);
    attempt.onResponseStart(connection, 200, {});
    attempt.adopt('response');
    expect(connection.reason).toBe(why);
    expect(connection.paused).toBe(true);
  });
});

describe('the controller of a handler', () => {
  it('aborts the request before an attempt is adopted, and the connection afterwards', () => {
    const early = make();
    early.relay.abort(why);
    early.relay.abort(new Error('again'));
    expect([early.aborts, early.relay.aborted, early.relay.reason]).toEqual([[why], true, why]);

    const { relay, aborts, attempt, connection } = make();
    expect([relay.aborted, relay.reason, relay.rawHeaders]).toEqual([false, null, null]);
    attempt.onRequestStart(connection, null);
    attempt.onResponseStart(connection, 200, {});
    attempt.adopt('response');
    relay.abort(why);
    expect([aborts, connection.reason, relay.aborted]).toEqual([[], why, true]);
  });

  it('is aborted when undici sends it a second time, if it must not be sent twice', () => {
    for (const once of [true, false]) {
      const { settled, attempt, connection } = make({}, once);
      attempt.onRequestStart(connection, null);
      const second = new Connection();
      attempt.onRequestStart(second, null);
      if (second.reason !== null) attempt.onResponseError(second, second.reason);
      expect([once, second.aborted, settled]).toEqual([
        once,
        once,
        once ? ["The connection of HTTP policy 'orders' ended before the response."] : [],
      ]);
    }
  });

  it('shows an abort by the connection', () => {
    const { relay, attempt, connection } = make();
    attempt.onRequestStart(connection, null);
    attempt.onResponseStart(connection, 200, {});
    attempt.adopt('response');
    connection.abort(why);
    expect([relay.aborted, relay.reason]).toEqual([true, why]);
  });
});
