import type { Rule, Usage } from './rule.ts';

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
