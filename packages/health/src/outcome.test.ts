import { describe, expect, it } from 'vitest';
import { failed, outcomeOf } from './outcome.ts';

describe('outcomeOf', () => {
  it.each([undefined, true, 'healthy', {}, { status: 'healthy' }])('passes %j', (returned) => {
    expect(outcomeOf(returned, 'unhealthy').status).toBe('healthy');
  });

  it('takes a status as it is, whatever failure would mean', () => {
    expect(outcomeOf('unhealthy', 'degraded').status).toBe('unhealthy');
    expect(outcomeOf({ status: 'degraded', message: 'slow' }, 'unhealthy')).toEqual({
      status: 'degraded',
      message: 'slow',
    });
  });

  it('takes false for a failure', () => {
    expect(outcomeOf(false, 'degraded')).toMatchObject({ status: 'degraded' });
  });

  it.each([null, 0, 42, 'fine', 'UP', [], { status: 'up' }])(
    'takes %j, which means nothing, for a failure',
    (returned) => {
      expect(outcomeOf(returned, 'unhealthy').status).toBe('unhealthy');
    },
  );
});

describe('failed', () => {
  it.each([
    [new Error('no route'), 'no route'],
    ['plain words', 'plain words'],
    [{ message: 'a thing' }, 'a thing'],
  ])('says what was thrown', (thrown, message) => {
    expect(failed(thrown, 'unhealthy')).toEqual({ status: 'unhealthy', message, error: thrown });
  });

  it('survives what cannot be shown', () => {
    const hostile = {
      get message(): string {
        throw new Error('no');
      },
    };
    expect(failed(hostile, 'unhealthy').status).toBe('unhealthy');
  });
});
