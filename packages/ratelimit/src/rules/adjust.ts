import type { Rule } from './rule.ts';

/**
 * Uses units without a call, at most all that are left; negative ones are given back.
 *
 * @param takenAt - when those were taken that are given back; the last ones by default
 */
export function adjust(
  rule: Rule,
  state: Float64Array,
  at: number,
  now: number,
  units: number,
  takenAt?: number,
): void {
  if (units < 0) {
    rule.credit(state, at, now, -units, takenAt);
    return;
  }
  const most = Math.max(0, rule.available(state, at, now));
  rule.charge(state, at, now, Math.min(units, most));
}
