import { checkKnown, checkNumber, show } from '@temper/core/policy';
import type { AuditSink } from '../sinks/sink.ts';

/** Number of sinks that must have stored an event before it counts as durable. */
export type SinkRule = 'all' | 'any' | { readonly quorum: number };

/** The sinks that count towards the rule: the durable ones, or all if none is durable. */
export function countingSinks(sinks: readonly AuditSink[]): readonly AuditSink[] {
  const durable = sinks.filter((sink) => sink.durable);
  return durable.length > 0 ? durable : sinks;
}

/** Number of sinks that the rule requires, out of `sinks`. */
export function requiredBy(rule: SinkRule, sinks: number): number {
  if (rule === 'all') return sinks;
  return rule === 'any' ? 1 : rule.quorum;
}

/**
 * The last sequence that at least `required` sinks have stored.
 *
 * @param stored last stored sequence of every sink that counts
 */
export function storedBy(required: number, stored: readonly number[]): number {
  if (stored.length === 1) return stored[0] as number;
  const descending = [...stored].sort((a, b) => b - a);
  return descending[required - 1] ?? 0;
}

/** @throws {TypeError | RangeError} unless `rule` is valid and `sinks` can meet it */
export function checkRule(owner: string, rule: unknown, sinks: readonly AuditSink[] = []): void {
  if (rule === 'all' || rule === 'any') return;
  if (typeof rule !== 'object' || rule === null) {
    throw new TypeError(`${owner}: rule must be 'all', 'any' or { quorum }, got ${show(rule)}.`);
  }
  checkKnown(`${owner}: rule`, rule, ['quorum']);
  const max = Math.max(1, countingSinks(sinks).length);
  const { quorum } = rule as { quorum?: unknown };
  checkNumber(owner, 'rule.quorum', quorum, { min: 1, max, integer: true });
}
