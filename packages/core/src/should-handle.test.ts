import { createContext, runInContext } from 'node:vm';
import { describe, expect, it, vi } from 'vitest';
import { Call } from './call/context.ts';
import type { EndedBy, Outcome } from './contract.ts';
import {
  DeadlineExceededError,
  isRefusal,
  OperationTimeoutError,
  TemperError,
  type TemperErrorOptions,
} from './errors.ts';
import { isFailure, isNeutral, isOverload, isTransient } from './should-handle.ts';

class Refusal extends TemperError {
  override get refused(): boolean {
    return true;
  }
  override get classification() {
    return { category: 'resource', severity: 'medium', transient: true } as const;
  }
}
vi.resetModules();
const otherCopy = (await import('./errors.ts')).TemperError;
class OtherRefusal extends otherCopy {
  override get refused(): boolean {
    return true;
  }
}
const OPTIONS: TemperErrorOptions = { code: 'X', policy: 'p' };
const coded = (code: string): Error => Object.assign(new Error('x'), { code });
const status = (status: number): Error => Object.assign(new Error('x'), { status });
const named = (name: string): Error => Object.assign(new Error('x'), { name });
const wrapped = (cause: unknown): Error => new Error('wrapped', { cause });
const hostile = new Proxy(new Error('x'), {
  get() {
    throw new Error('hostile');
  },
  getPrototypeOf() {
    throw new Error('hostile');
  },
});

/** F, T and O stand for failure, transient and overload. */
const ERRORS: [string, unknown, string][] = [
  ['a refused connection', coded('ECONNREFUSED'), 'F T O'],
  ['a reset connection', coded('ECONNRESET'), 'F T O'],
  ['an unknown host', coded('ENOTFOUND'), 'F T O'],
  ['an expired certificate', coded('CERT_HAS_EXPIRED'), 'F - -'],
  ['a timeout of a socket', coded('ETIMEDOUT'), 'F T O'],
  ['a TimeoutError', named('TimeoutError'), 'F T O'],
  ['too many open files', coded('EMFILE'), 'F T O'],
  ['a full disk', coded('ENOSPC'), 'F - -'],
  ['a missing file', coded('ENOENT'), 'F - -'],
  ['a forbidden file', coded('EACCES'), 'F - -'],
  ['HTTP 400', status(400), '- - -'],
  ['HTTP 401', status(401), '- - -'],
  ['HTTP 403', status(403), '- - -'],
  ['HTTP 404', status(404), '- - -'],
  ['HTTP 408', status(408), 'F T O'],
  ['HTTP 409', status(409), '- - -'],
  ['HTTP 422', status(422), '- - -'],
  ['HTTP 425', status(425), 'F T O'],
  ['HTTP 429', status(429), 'F T O'],
  ['HTTP 499', status(499), '- - -'],
  ['HTTP 500', status(500), 'F T -'],
  ['HTTP 501', status(501), 'F - -'],
  ['HTTP 502', status(502), 'F T O'],
  ['HTTP 503', status(503), 'F T O'],
  ['HTTP 504', status(504), 'F T O'],
  ['HTTP 507', status(507), 'F - -'],
  ['a bad argument by code', coded('ERR_INVALID_ARG_TYPE'), 'F - -'],
  ['a bad URL by code', coded('ERR_INVALID_URL'), '- - -'],
  ['a SyntaxError', new SyntaxError('x'), 'F - -'],
  ['a ValidationError', named('ValidationError'), '- - -'],
  ['a TypeError', new TypeError('x'), 'F - -'],
  ['a RangeError', new RangeError('x'), 'F - -'],
  ['a ReferenceError', new ReferenceError('x'), 'F - -'],
  ['an AbortError', new DOMException('x', 'AbortError'), 'F - -'],
  ['a plain Error', new Error('x'), 'F - -'],
  ['an OperationTimeoutError', new OperationTimeoutError('p', 5), 'F T O'],
  ['a DeadlineExceededError', new DeadlineExceededError('op', 5), 'F - O'],
  ['a refusal that is transient', new Refusal('x', OPTIONS), 'F T O'],
  ['a string', 'ECONNREFUSED', 'F - -'],
  ['undefined', undefined, 'F - -'],
  ['null', null, 'F - -'],
];

const verdict = (outcome: Outcome<unknown>): string =>
  `${isFailure(outcome) ? 'F' : '-'} ${isTransient(outcome) ? 'T' : '-'} ${isOverload(outcome) ? 'O' : '-'}`;

describe('isFailure, isTransient and isOverload', () => {
  it.each(ERRORS)('of %s', (_, error, expected) => {
    expect(verdict({ ok: false, error })).toBe(expected);
  });

  // A refusal and a thrown value classify themselves; everything else does so as a cause too.
  it.each(ERRORS.filter(([, error]) => typeof error === 'object' && error !== null))(
    'of an error caused by %s are the same',
    (_, error, expected) => {
      expect(verdict({ ok: false, error: wrapped(error) })).toBe(expected);
      expect(verdict({ ok: false, error: wrapped(wrapped(error)) })).toBe(expected);
      expect(verdict({ ok: false, error: new AggregateError([error], 'all') })).toBe(expected);
    },
  );

  it.each(ERRORS)('are false for a value that is %s', (_, value) => {
    expect(verdict({ ok: true, value })).toBe('- - -');
  });

  it.each([new Response('', { status: 503 }), { status: 500 }, false, 0, ''])(
    'are false for the value %o',
    (value) => {
      expect(verdict({ ok: true, value })).toBe('- - -');
    },
  );
});

describe('isOverload, given the context of the call', () => {
  it.each<[EndedBy, boolean]>([
    ['deadline', true],
    ['timeout', true],
    ['caller', false],
    ['hedge', false],
  ])('of a call that ended by %s is %s, whatever came out of it', (by, expected) => {
    const call = new Call().scope();
    call.end(by, 'reason');
    for (const error of [named('CanceledError'), new Error('closed'), 'text', undefined]) {
      expect(isOverload({ ok: false, error }, call)).toBe(expected);
    }
    expect(isOverload({ ok: true, value: 'late' }, call)).toBe(expected);
  });

  it('of a call that runs goes by the outcome', () => {
    expect(isOverload({ ok: true, value: 1 }, new Call())).toBe(false);
    expect(isOverload({ ok: false, error: status(503) }, new Call())).toBe(true);
  });
});

describe('a hostile proxy', () => {
  it('is a failure, and neither transient, nor an overload, nor a refusal', () => {
    for (const error of [hostile, wrapped(hostile)]) {
      expect(verdict({ ok: false, error })).toBe('F - -');
      expect(verdict({ ok: true, value: error })).toBe('- - -');
      expect(isRefusal(error)).toBe(false);
    }
  });
});

describe('isRefusal', () => {
  it.each<[string, unknown, boolean]>([
    ['a refusal', new Refusal('x', OPTIONS), true],
    ['another TemperError', new TemperError('x', OPTIONS), false],
    ['a timeout', new OperationTimeoutError('p', 5), false],
    ['a refusal of another copy', new OtherRefusal('x', OPTIONS), true],
    [
      'an error with the fields of one',
      Object.assign(new Error('x'), { ...OPTIONS, refused: true }),
      false,
    ],
    ['a refusal as cause', wrapped(new Refusal('x', OPTIONS)), true],
    ['an object that only says so', { refused: true, ...OPTIONS }, false],
    ['an error that only says so', Object.assign(new Error('x'), { refused: true }), false],
    ['a truthy refused', Object.assign(new Error('x'), { ...OPTIONS, refused: 1 }), false],
    ['a string', 'refused', false],
    ['undefined', undefined, false],
    ['null', null, false],
  ])('of %s is %s', (_, error, expected) => {
    expect(isRefusal(error)).toBe(expected);
  });
});

describe('isNeutral', () => {
  const failure: Outcome<unknown> = { ok: false, error: coded('ECONNREFUSED') };
  const success: Outcome<unknown> = { ok: true, value: 1 };
  const refusal: Outcome<unknown> = { ok: false, error: new Refusal('x', OPTIONS) };
  const ended = (by: EndedBy): Call => {
    const scope = new Call().scope();
    scope.end(by, 'reason');
    return scope;
  };

  it.each<[EndedBy, boolean]>([
    ['caller', true],
    ['hedge', true],
    ['deadline', false],
    ['timeout', false],
  ])('of a call ended by %s is %s', (by, expected) => {
    for (const call of [ended(by), ended(by).forAttempt(2), ended(by).scope()]) {
      expect(isNeutral(failure, call)).toBe(expected);
      expect(isNeutral(success, call)).toBe(expected);
      expect(isNeutral(refusal, call)).toBe(true);
    }
  });

  it('of a running call is true for refusals only', () => {
    expect(isNeutral(failure, new Call())).toBe(false);
    expect(isNeutral(success, new Call())).toBe(false);
    expect(isNeutral(refusal, new Call())).toBe(true);
  });

  it('does not go by the name of an error', () => {
    const error = new DOMException('aborted', 'AbortError');
    expect(isNeutral({ ok: false, error }, new Call())).toBe(false);
    const foreign = runInContext(`new Error('x')`, createContext({}));
    expect(isNeutral({ ok: false, error: foreign }, new Call())).toBe(false);
  });
});

describe('isRefusal', () => {
  it('finds a refusal that somebody wrapped, and no other error', () => {
    const wrapped = new Error('charge failed', { cause: new Refusal('limited', OPTIONS) });
    expect(isRefusal(wrapped)).toBe(true);
    expect(
      isNeutral({ ok: false, error: new Error('twice', { cause: wrapped }) }, new Call()),
    ).toBe(true);
    expect(isRefusal(new Error('plain', { cause: new Error('cause') }))).toBe(false);
    const cycle = new Error('cycle');
    cycle.cause = cycle;
    expect(isRefusal(cycle)).toBe(false);
    const { proxy, revoke } = Proxy.revocable(new Error('gone'), {});
    revoke();
    expect(isRefusal(proxy)).toBe(false);
  });
});
