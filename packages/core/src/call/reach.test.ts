import { describe, expect, it } from 'vitest';
import { Call } from './context.ts';
import { isUnheard, noteReach } from './reach.ts';

describe('an attempt', () => {
  const operation = (): string => 'value';

  it('is unheard until its operation is called, and only where somebody tells of that', () => {
    const attempt = new Call().forAttempt(2);
    expect(isUnheard(attempt)).toBe(false);
    const told = noteReach(operation, attempt);
    expect(isUnheard(attempt)).toBe(true);
    expect(told(attempt)).toBe('value');
    expect(isUnheard(attempt)).toBe(false);
  });

  it('is told of by the context of its timeout', () => {
    const attempt = new Call().forAttempt(2);
    const told = noteReach(operation, attempt.scope(1000));
    expect(isUnheard(attempt)).toBe(true);
    told(attempt);
    expect(isUnheard(attempt)).toBe(false);
  });

  it('stays heard when a retry inside makes an attempt of the same number', () => {
    const call = new Call();
    const outer = call.forAttempt(2);
    noteReach(operation, outer)(outer);
    const inner = outer.forAttempt(2);
    const told = noteReach(operation, inner);
    expect([isUnheard(outer), isUnheard(inner), isUnheard(call)]).toEqual([false, true, false]);
    told(inner);
    expect(isUnheard(inner)).toBe(false);
  });
});
