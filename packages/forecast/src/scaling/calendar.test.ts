import { expect, it } from 'vitest';
import { Calendar } from './calendar.ts';

const HOUR = 3_600_000;
const hourOf = (local: number): number => (local / HOUR) % 24;

it('follows the clocks of its time zone, also when these are set', () => {
  const berlin = new Calendar('Europe/Berlin');
  // 2024-03-31, 01:00 UTC: two o'clock becomes three.
  const spring = Date.UTC(2024, 2, 31, 1);
  expect(hourOf(berlin.local(spring - 1000))).toBeCloseTo(2, 2);
  expect(hourOf(berlin.local(spring))).toBe(3);
  // 2024-10-27, 01:00 UTC: three o'clock becomes two.
  const autumn = Date.UTC(2024, 9, 27, 1);
  expect(hourOf(berlin.local(autumn - 1000))).toBeCloseTo(3, 2);
  expect(hourOf(berlin.local(autumn))).toBe(2);
});

it('knows offsets of parts of an hour, times before 1970, and no offset of UTC', () => {
  const noon = Date.UTC(2024, 0, 1, 12);
  expect(hourOf(new Calendar('Asia/Kathmandu').local(noon))).toBe(17.75);
  expect(new Calendar('UTC').local(noon)).toBe(noon);
  const before = Date.UTC(1960, 0, 1, 12, 0, 0, 500);
  expect(new Calendar('America/New_York').local(before) - before).toBe(-5 * HOUR);
});

it('throws a RangeError for a time zone that does not exist', () => {
  expect(() => new Calendar('Mars/Olympus')).toThrow(RangeError);
});
