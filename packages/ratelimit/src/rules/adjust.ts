import type { Rule, Usage } from './rule.ts';

/** Uses units without a call, at most all that are left; negative ones are given back. */
export function adjust(
  rule: Rule,
  state: Float64Array,
  at: number,
  now: number,
  units: number,
): void {
  if (units < 0) {
    rule.credit(state, at, now, -units);
    return;
  }
  const most = Math.max(0, rule.available(state, at, now));
  rule.charge(state, at, now, Math.min(units, most));
}

/** Writes the state of a limiter of which this is in use, oldest first. */
export function replay(
  rule: Rule,
  state: Float64Array,
  at: number,
  now: number,
  usage: readonly Usage[],
): void {
  const counting = usage.filter(([agoMs]) => agoMs < rule.freshAfterMs);
  rule.reset(state, at, now - (counting[0]?.[0] ?? 0));
  for (const [agoMs, units] of counting) rule.charge(state, at, now - agoMs, units);
}

/** Whether two rules of one kind are the same. */
export function equalRules(a: Rule, b: Rule): boolean {
  return a.limit === b.limit && a.windowMs === b.windowMs && a.capacity === b.capacity;
}

/** Units in use. */
export function unitsIn(usage: readonly Usage[]): number {
  return usage.reduce((sum, [, units]) => sum + units, 0);
}
