import { describe, expect, it } from 'vitest';
import {
  DeadlineExceededError,
  isTemperError,
  OperationTimeoutError,
  TemperError,
} from './errors.ts';

describe("Temper's errors", () => {
  it('say who, and keep code, policy, cause and name', () => {
    const cause = new Error('inner');
    const error = new TemperError('no', { code: 'X', policy: 'p', cause });
    expect(error).toBeInstanceOf(Error);
    expect(error).toMatchObject({ name: 'TemperError', code: 'X', policy: 'p', message: 'no' });
    expect(error.cause).toBe(cause);
    expect(Object.hasOwn(new TemperError('no', { code: 'X', policy: 'p' }), 'cause')).toBe(false);
    expect(new OperationTimeoutError('registry', 250).message).toBe(
      "'registry' gave up on the operation after 250 ms.",
    );
    expect(new DeadlineExceededError(undefined).message).toBe(
      'The call did not finish within its deadline.',
    );
  });

  it('have no stack, unless one is asked for, and leave the stacks of others alone', () => {
    const limit = Error.stackTraceLimit;
    const bare = new TemperError('no', { code: 'X', policy: 'p' });
    const traced = new TemperError('no', { code: 'X', policy: 'p', stack: true });
    expect(bare.stack).toBe('TemperError: no');
    expect(traced.stack).toMatch(/^TemperError: no\n\s+at .*errors\.test/);
    expect(Error.stackTraceLimit).toBe(limit);
    expect(new Error('mine').stack).toMatch(/errors\.test/);
  });

  it('are known by their shape, so that two installed copies agree', () => {
    const error = new OperationTimeoutError('p', 1);
    const foreign = Object.assign(new Error('x'), { code: 'OPERATION_TIMEOUT', policy: 'p' });
    expect(isTemperError(error)).toBe(true);
    expect(isTemperError(foreign, 'OPERATION_TIMEOUT')).toBe(true);
    expect(isTemperError(error, 'DEADLINE_EXCEEDED')).toBe(false);
    expect(isTemperError(Object.assign(new Error('x'), { code: 'ENOENT' }))).toBe(false);
    expect(isTemperError({ code: 'X', policy: 'p' })).toBe(false);
    expect(isTemperError(undefined)).toBe(false);
  });

  it('are told apart by whether trying again can help', () => {
    expect(new OperationTimeoutError('p', 1).classification.transient).toBe(true);
    expect(new DeadlineExceededError('op', 1).classification.transient).toBe(false);
  });
});
