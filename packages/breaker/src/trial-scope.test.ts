import { settle } from '@temper/testkit/clock';
import { describe, expect, it } from 'vitest';
import type { Trial } from './begun.ts';
import { isInTrial, runInTrial } from './trial-scope.ts';

const trial = (): Trial => ({ begunAt: 0, lease: undefined, ended: false });

describe('the scope of a trial', () => {
  it('covers what its operation does, at any depth, and nothing else', async () => {
    const [outer, inner] = [trial(), trial()];
    expect(isInTrial([outer, inner])).toBe(false);
    await runInTrial(outer, async () => {
      await settle();
      expect([isInTrial([outer]), isInTrial([inner]), isInTrial([])]).toEqual([true, false, false]);
      await runInTrial(inner, async () => {
        await settle();
        expect([isInTrial([outer]), isInTrial([inner])]).toEqual([true, true]);
      });
      expect(isInTrial([inner])).toBe(false);
    });
    expect(isInTrial([outer, inner])).toBe(false);
  });

  it('keeps no trial that has ended, where each begins the next one', () => {
    const trials = Array.from({ length: 5 }, trial);
    const next = (i: number): void => {
      const current = trials[i];
      if (current === undefined) return;
      runInTrial(current, () => {
        expect(trials.filter((each) => isInTrial([each]))).toEqual([current]);
        current.ended = true;
        next(i + 1);
      });
    };
    next(0);
  });
});
