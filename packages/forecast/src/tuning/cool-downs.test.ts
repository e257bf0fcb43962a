import { expect, it } from 'vitest';
import { CoolDowns } from './cool-downs.ts';

it('a change that was undone waits twice as long each time, up to 64 times; others do not wait', () => {
  const coolDowns = new CoolDowns(100);
  const waits: number[] = [];
  for (let i = 0; i < 9; i++) {
    coolDowns.undone('maxAttempts', 3, 2, 0);
    waits.push(coolDowns.until('maxAttempts', 3, 2, 0) as number);
  }
  expect(waits).toEqual([100, 200, 400, 800, 1600, 3200, 6400, 6400, 6400]);
  expect(coolDowns.until('maxAttempts', 3, 4, 0)).toBeUndefined();
  expect(coolDowns.until('hedgeDelayMs', 3, 2, 0)).toBeUndefined();
  expect(coolDowns.until('maxAttempts', 3, 2, 6400)).toBeUndefined();
});

it('a change that was kept is not taken back at once, and may go on', () => {
  const coolDowns = new CoolDowns(100);
  coolDowns.kept('hedgeDelayMs', 200, 100, 50);
  expect(coolDowns.until('hedgeDelayMs', 100, 200, 149)).toBe(150);
  expect(coolDowns.until('hedgeDelayMs', 100, 200, 150)).toBeUndefined();
  expect(coolDowns.until('hedgeDelayMs', 100, 50, 51)).toBeUndefined();
});
