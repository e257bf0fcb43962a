import { runInNewContext } from 'node:vm';
import { describe, expect, it } from 'vitest';
import {
  DeadlineExceededError,
  isRefusal,
  isTemperError,
  OperationTimeoutError,
  TemperError,
} from './errors.ts';

describe('TemperError', () => {
  it('has a code, policy, name and cause', () => {
    const cause = new Error('inner');
    const error = new TemperError('no', { code: 'X', policy: 'p', cause });
    expect(error).toBeInstanceOf(Error);
    expect(error).toMatchObject({ name: 'TemperError', code: 'X', policy: 'p', message: 'no' });
    expect(error.cause).toBe(cause);
    expect(Object.hasOwn(new TemperError('no', { code: 'X', policy: 'p' }), 'cause')).toBe(false);
    expect(new OperationTimeoutError('registry', 250).message).toBe(
      "Policy 'registry' aborted the operation after its timeout of 250 ms.",
    );
    expect(new DeadlineExceededError(undefined).message).toBe(
      'The call did not finish within its deadline.',
    );
  });

  it('records a stack only when asked to, and leaves other errors their stacks', () => {
    const limit = Error.stackTraceLimit;
    const bare = new TemperError('no', { code: 'X', policy: 'p' });
    const traced = new TemperError('no', { code: 'X', policy: 'p', stack: true });
    expect(bare.stack).toBe('TemperError: no');
    expect(traced.stack).toMatch(/^TemperError: no\n\s+at .*errors\.test/);
    expect(Error.stackTraceLimit).toBe(limit);
    expect(new Error('mine').stack).toMatch(/errors\.test/);
  });

  it('is recognised by its mark, which other errors with the same fields do not have', () => {
    const error = new OperationTimeoutError('p', 1);
    const foreign = Object.assign(new Error('x'), { code: 'OPERATION_TIMEOUT', policy: 'p' });
    expect(isTemperError(error)).toBe(true);
    expect(isTemperError(error, 'OPERATION_TIMEOUT')).toBe(true);
    expect(isTemperError(error, 'DEADLINE_EXCEEDED')).toBe(false);
    expect(isTemperError(foreign)).toBe(false);
    expect(isTemperError({ ...error, code: 'X', policy: 'p' })).toBe(false);
    expect(isTemperError(undefined)).toBe(false);
    const { proxy, revoke } = Proxy.revocable({}, {});
    revoke();
    expect(isTemperError(proxy)).toBe(false);
  });

  it('counts instances of a class and of its subclasses, and nothing else', () => {
    class Nameless extends TemperError {}
    class Named extends OperationTimeoutError {
      override get name(): string {
        return 'Named';
      }
    }
    const timeout = new OperationTimeoutError('p', 1);
    const named = new Named('p', 1);
    const nameless = new Nameless('x', { code: 'X', policy: 'p' });
    expect([timeout, named, nameless].map((each) => each instanceof TemperError)).toEqual([
      true,
      true,
      true,
    ]);
    expect([timeout, named, nameless].map((each) => each instanceof OperationTimeoutError)).toEqual(
      [true, true, false],
    );
    expect([timeout, named, nameless].map((each) => each instanceof Nameless)).toEqual([
      false,
      false,
      true,
    ]);
    expect(timeout).not.toBeInstanceOf(Named);
    const { proxy, revoke } = Proxy.revocable({}, {});
    revoke();
    const lookalike = Object.assign(new Error('x'), {
      name: 'TemperError',
      code: 'X',
      policy: 'p',
    });
    for (const other of [undefined, null, 'TemperError', {}, new Error('x'), lookalike, proxy]) {
      expect((other as unknown) instanceof TemperError).toBe(false);
    }
  });

  it('is transient after an operation timeout and not after the deadline of the call', () => {
    expect(new OperationTimeoutError('p', 1).classification.transient).toBe(true);
    expect(new DeadlineExceededError('op', 1).classification.transient).toBe(false);
  });
});

describe('DeadlineExceededError', () => {
  it('names its operation in a form that is fit for telemetry', () => {
    const error = new DeadlineExceededError(`https://u:hunter2@h/ ${'x'.repeat(10_000)}`, 5);
    expect(error.policy).toMatch(/^https:\/\/\*\*\*@h\/ x+…$/);
    expect(error.policy.length).toBeLessThanOrEqual(80);
    expect(error.message).not.toContain('hunter2');
    expect(new DeadlineExceededError(undefined).policy).toBe('deadline');
  });

  it('is no refusal, even if the attempt before it was refused', () => {
    class Refused extends TemperError {
      override get refused(): boolean {
        return true;
      }
    }
    const cause = new Refused('Full', { code: 'FULL', policy: 'p' });
    expect(isRefusal(cause)).toBe(true);
    expect(isRefusal(new Error('x', { cause }))).toBe(true);
    expect(isRefusal(new DeadlineExceededError('fetch', 5, cause))).toBe(false);
    expect(isRefusal(new Error('x', { cause: new DeadlineExceededError('fetch', 5, cause) }))).toBe(
      false,
    );
  });
});

describe('isRefusal', () => {
  class Refused extends TemperError {
    override get refused(): boolean {
      return true;
    }
  }
  const refused = new Refused('Full', { code: 'FULL', policy: 'p' });
  const failed = new Error('reset');

  it('is not said by the fields of an error of somebody else', () => {
    const fields = { code: 'CIRCUIT_OPEN', policy: 'payments', refused: true };
    class Lookalike extends Error {
      override name = 'TemperError';
      readonly code = 'CIRCUIT_OPEN';
      readonly policy = 'payments';
      readonly refused = true;
    }
    for (const other of [
      Object.assign(new Error('x'), fields),
      new Lookalike('x'),
      structuredClone(refused),
      JSON.parse(JSON.stringify({ ...fields, cause: fields })),
      Object.assign(new AggregateError([Object.assign(new Error('x'), fields)]), fields),
    ]) {
      expect(isRefusal(other)).toBe(false);
      expect(isRefusal(new Error('x', { cause: other }))).toBe(false);
    }
  });

  it('is said by an error that was wrapped in another realm', () => {
    const wrap = runInNewContext('(cause) => new Error("outside", { cause })');
    expect(isRefusal(wrap(refused))).toBe(true);
    expect(isRefusal(wrap(failed))).toBe(false);
  });

  it.each([
    ['only refusals, as Promise.any has them', new AggregateError([refused, refused]), true],
    ['causes that are refusals', new AggregateError([new Error('a', { cause: refused })]), true],
    ['lists of refusals', new AggregateError([new AggregateError([refused])]), true],
    ['a failure beside a refusal', new AggregateError([refused, failed]), false],
    ['nothing', new AggregateError([]), false],
    ['refusals, but a failure as its cause', caused([refused], failed), false],
    ['a hostile list', Object.assign(new Error('x'), { errors: new Proxy([], trap()) }), false],
  ])('looks at the errors of an error without a cause: %s', (_, error, expected) => {
    expect(isRefusal(error)).toBe(expected);
  });

  function caused(errors: unknown[], cause: unknown): Error {
    return new AggregateError(errors, 'x', { cause });
  }
  function trap(): ProxyHandler<never[]> {
    return {
      get: () => {
        throw new Error('no');
      },
    };
  }
});
