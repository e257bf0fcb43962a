import { describe, expect, it } from 'vitest';
import {
  DeadlineExceededError,
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

  it('is recognised by its shape, so that two installed copies of core agree', () => {
    const error = new OperationTimeoutError('p', 1);
    const foreign = Object.assign(new Error('x'), { code: 'OPERATION_TIMEOUT', policy: 'p' });
    expect(isTemperError(error)).toBe(true);
    expect(isTemperError(foreign, 'OPERATION_TIMEOUT')).toBe(true);
    expect(isTemperError(error, 'DEADLINE_EXCEEDED')).toBe(false);
    expect(isTemperError(Object.assign(new Error('x'), { code: 'ENOENT' }))).toBe(false);
    expect(isTemperError({ code: 'X', policy: 'p' })).toBe(false);
    expect(isTemperError(undefined)).toBe(false);
  });

  it('is transient after an operation timeout and not after the deadline of the call', () => {
    expect(new OperationTimeoutError('p', 1).classification.transient).toBe(true);
    expect(new DeadlineExceededError('op', 1).classification.transient).toBe(false);
  });
});
