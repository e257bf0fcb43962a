import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { HoltWinters, type SeasonModel } from './holt-winters.ts';

const MODELS: readonly SeasonModel[] = ['additive', 'multiplicative'];
const SLOTS = 24;
/** A day of a demand: low in the night, 10 to 30. */
const day = (slot: number): number => 20 - 10 * Math.cos((2 * Math.PI * slot) / SLOTS);

function learned(model: SeasonModel, days: number, of = day): HoltWinters {
  const season = new HoltWinters(SLOTS, model);
  for (let i = 0; i < days * SLOTS; i++) season.update(i % SLOTS, of(i % SLOTS));
  return season;
}

describe.each(MODELS)('a %s season', (model) => {
  it('is known after a whole one, and expects each slot as it was', () => {
    const season = learned(model, 0.9);
    expect(season.ready).toBe(false);
    const whole = learned(model, 1);
    expect(whole.ready).toBe(true);
    whole.update(0, day(0));
    for (let slot = 0; slot < SLOTS; slot++) {
      expect(whole.expected(slot + 0.5)).toBeCloseTo(day(slot), 1);
    }
    // Between the middles of two slots it is between their values.
    expect(whole.expected(7)).toBeCloseTo((day(6) + day(7)) / 2, 1);
    expect(whole.expected(7 + 3 * SLOTS)).toBeCloseTo(whole.expected(7), 9);
  });

  it('follows a level that rises, and a season that changes', () => {
    const season = learned(model, 3);
    const more = (slot: number): number =>
      model === 'multiplicative' ? 2 * day(slot) : 20 + day(slot);
    for (let i = 0; i < 3 * SLOTS; i++) season.update(i % SLOTS, more(i % SLOTS));
    expect(season.expected(12.5) / more(12)).toBeCloseTo(1, 1);
    for (let i = 0; i < 20 * SLOTS; i++) season.update(i % SLOTS, day((i + 6) % SLOTS));
    expect(season.expected(12.5) / day(18)).toBeCloseTo(1, 1);
  });

  it('keeps its season through a day that is unlike the others', () => {
    const season = learned(model, 5);
    for (let slot = 0; slot < SLOTS; slot++) season.update(slot, slot < 12 ? 2 : day(slot) * 3);
    for (let i = 0; i < SLOTS; i++) season.update(i, day(i));
    // Three times, or twenty more, before.
    const [noon, night] = [season.expected(12.5), season.expected(0.5)];
    const contrast = model === 'multiplicative' ? noon / night / 3 : (noon - night) / 20;
    expect(contrast).toBeGreaterThan(0.7);
    expect(contrast).toBeLessThan(1.4);
  });

  it('fills the gaps of a first season between their neighbours', () => {
    const season = new HoltWinters(SLOTS, model);
    for (let slot = 0; slot < SLOTS; slot++) {
      if (slot % 5 === 0) season.skip(1);
      else season.update(slot, 30);
    }
    expect(season.ready).toBe(false);
    season.update(1, 30);
    for (let slot = 1; slot < SLOTS && !season.ready; slot++)
      if (slot % 5 !== 0) season.update(slot, 30);
    expect(season.ready).toBe(true);
    season.update(1, 30);
    expect(season.expected(10.5)).toBeCloseTo(30, 6);
  });

  it('takes the level from the next value after a long silence', () => {
    const season = learned(model, 3);
    season.skip(30 * SLOTS);
    season.update(6, 3 * day(6));
    const expected = model === 'multiplicative' ? 3 * day(7) : day(7) + 2 * day(6);
    expect(season.expected(7.5) / expected).toBeCloseTo(1, 1);
  });

  it('continues from its dump, through JSON', () => {
    const season = learned(model, 3);
    const copy = new HoltWinters(SLOTS, model);
    copy.restore(JSON.parse(JSON.stringify(season.dump())));
    copy.update(0, day(0));
    season.update(0, day(0));
    expect(copy.ready).toBe(true);
    expect(copy.expected(12.5) / season.expected(12.5)).toBeCloseTo(1, 2);
  });

  it('is finite and not negative, whatever comes, in any order', () => {
    const value = fc.oneof(
      fc.constant(0),
      fc.double({ min: 0, max: 1e9, noNaN: true }),
      fc.double({ min: 0, max: 1e-9, noNaN: true }),
    );
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(SLOTS - 1), value, fc.nat(40)), { maxLength: 200 }),
        fc.nat(SLOTS * 2),
        (values, at) => {
          const season = new HoltWinters(SLOTS, model);
          for (let slot = 0; slot < SLOTS; slot++) season.update(slot, values[slot]?.[1] ?? 0);
          for (const [slot, one, skipped] of values) {
            if (skipped > 30) season.skip(skipped);
            season.update(slot, one);
            const expected = season.expected(at / 2);
            if (!(Number.isFinite(expected) && expected >= 0)) return false;
          }
          return true;
        },
      ),
    );
  });
});
