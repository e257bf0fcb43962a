import { classify, isRefusal, isTemperError, TemperError } from '@temper/core';
import { errorType, retryAfterOf } from '@temper/core/policy';
import { describe, expect, it } from 'vitest';
import { CircuitOpenError } from './errors.ts';

describe('CircuitOpenError', () => {
  const error = new CircuitOpenError('payments', { state: 'open', retryAfterMs: 4199.2 });

  it('is recognised by its code, whichever copy created it', () => {
    expect(error).toBeInstanceOf(TemperError);
    expect(isTemperError(error, 'CIRCUIT_OPEN')).toBe(true);
    expect(isRefusal(error)).toBe(true);
    expect(errorType(error)).toBe('CIRCUIT_OPEN');
    expect(String(error)).toBe(
      "CircuitOpenError: Circuit 'payments' is open; the next trial is in 4200 ms.",
    );
  });

  it('is classified as a resource error that is not transient', () => {
    const cause = Object.assign(new Error('refused'), { code: 'ECONNREFUSED' });
    const caused = new CircuitOpenError('p', { state: 'open', retryAfterMs: 1, cause });
    expect(classify(caused)).toEqual({
      category: 'resource',
      severity: 'medium',
      transient: false,
    });
    expect(caused.cause).toBe(cause);
    expect('cause' in error).toBe(false);
    expect(caused.message).toBe("Circuit 'p' is open; the next trial is in 1 ms: refused");
  });

  it('is understood by retryAfterOf', () => {
    expect(retryAfterOf(error, 0)).toBe(4200);
    const isolated = new CircuitOpenError('p', { state: 'isolated', retryAfterMs: undefined });
    expect(retryAfterOf(isolated, 0)).toBeUndefined();
  });
});
