import { describe, expect, it } from 'vitest';
import { TemperError } from '../errors.ts';
import { Call } from './context.ts';

class Refused extends TemperError {
  constructor() {
    super('refused', { code: 'REFUSED', policy: 'p' });
  }
  override get refused(): boolean {
    return true;
  }
}

describe('the last failure of a scope', () => {
  it('is what an attempt within it failed with', () => {
    const scope = new Call().scope();
    const inner = scope.scope();
    const error = new Error('own');
    inner.forAttempt(2).noteFailure(error);
    expect([inner.lastFailure, scope.lastFailure]).toEqual([error, error]);
  });

  it('is not a refusal by a policy, which tells nothing of the dependency', () => {
    const scope = new Call().scope();
    const error = new Error('own');
    scope.noteFailure(new Refused());
    expect(scope.lastFailure).toBeUndefined();
    scope.noteFailure(error);
    scope.noteFailure(new Error('wrapped', { cause: new Refused() }));
    expect(scope.lastFailure).toBe(error);
  });
});
