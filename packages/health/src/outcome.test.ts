import { describe, expect, it } from 'vitest';
import { failed, outcomeOf } from './outcome.ts';

describe('outcomeOf', () => {
  it.each([undefined, true, 'healthy', {}, { status: 'healthy' }])(
    'interprets %j as healthy',
    (returned) => {
      expect(outcomeOf(returned, 'unhealthy').status).toBe('healthy');
    },
  );

  it('uses a returned status regardless of failureStatus', () => {
    expect(outcomeOf('unhealthy', 'degraded').status).toBe('unhealthy');
    expect(outcomeOf({ status: 'degraded', message: 'slow' }, 'unhealthy')).toEqual({
      status: 'degraded',
      message: 'slow',
    });
  });

  it('interprets false as a failure', () => {
    expect(outcomeOf(false, 'degraded')).toMatchObject({ status: 'degraded' });
  });

  it.each([null, 0, 42, 'fine', 'UP', [], { status: 'up' }])(
    'interprets the invalid value %j as a failure',
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
  ])('uses the message of the thrown value', (thrown, message) => {
    expect(failed(thrown, 'unhealthy')).toEqual({ status: 'unhealthy', message, error: thrown });
  });

  it('accepts a thrown value whose message getter throws', () => {
    const hostile = {
      get message(): string {
        throw new Error('no');
      },
    };
    expect(failed(hostile, 'unhealthy').status).toBe('unhealthy');
  });
});
