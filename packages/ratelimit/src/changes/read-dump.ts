import type { Clock } from '@temper/core';
import { show } from '@temper/core/policy';
import { replay } from '../rules/replay.ts';
import type { Rule, Usage } from '../rules/rule.ts';
import type { KeyDump, LimitDump } from './limit-dump.ts';
import { MAX_BLOCK_MS } from './rate-controls.ts';

/**
 * Writes the state of a limiter without keys from a dump.
 *
 * @returns for how long it is blocked, in milliseconds
 * @throws {TypeError} when it is malformed; the state is as before then
 */
export function loadDump(
  dump: LimitDump,
  { name, clock }: { readonly name: string; readonly clock: Clock },
  rule: Rule,
  state: Float64Array,
): number {
  const [own] = readDump(name, dump, clock, false);
  replay(rule, state, 0, clock.monotonic(), own?.used ?? []);
  return own?.blockedMs ?? 0;
}

/**
 * Reads a dump, which may come from a file that others have written.
 *
 * @returns the keys, as of now
 * @throws {TypeError} when it is malformed
 */
export function readDump(owner: string, dump: unknown, clock: Clock, keyed: boolean): KeyDump[] {
  const { version, at, keys } = fields(owner, 'dump', dump);
  if (version !== 1) {
    throw new TypeError(`${owner}: a dump of version ${show(version)} cannot be restored.`);
  }
  const elapsedMs = Math.max(0, clock.now() - amount(owner, 'dump.at', at));
  return list(owner, 'dump.keys', keys).map((each) => readKey(owner, each, elapsedMs, keyed));
}

function readKey(owner: string, value: unknown, elapsedMs: number, keyed: boolean): KeyDump {
  const { key, used, blockedMs } = fields(owner, 'key', value);
  if (keyed ? typeof key !== 'string' || key === '' : key !== undefined) {
    const must = keyed ? 'a non-empty string' : 'absent, as this limiter has no keys';
    throw new TypeError(`${owner}: a key of the dump must be ${must}, got ${show(key)}.`);
  }
  const usage = list(owner, 'used', used).map((entry): Usage => {
    const [agoMs, units] = list(owner, 'used', entry);
    return [amount(owner, 'agoMs', agoMs) + elapsedMs, amount(owner, 'units', units)];
  });
  usage.sort(([a], [b]) => b - a);
  const blocked = amount(owner, 'blockedMs', blockedMs) - elapsedMs;
  return {
    ...(keyed ? { key: key as string } : {}),
    used: usage,
    blockedMs: Math.min(Math.max(0, blocked), MAX_BLOCK_MS),
  };
}

function fields(owner: string, name: string, value: unknown): Readonly<Record<string, unknown>> {
  if (typeof value === 'object' && value !== null) return value as Record<string, unknown>;
  throw new TypeError(`${owner}: ${name} must be an object, got ${show(value)}.`);
}

function list(owner: string, name: string, value: unknown): readonly unknown[] {
  if (Array.isArray(value)) return value;
  throw new TypeError(`${owner}: ${name} must be an array, got ${show(value)}.`);
}

function amount(owner: string, name: string, value: unknown): number {
  if (typeof value === 'number' && value >= 0 && value <= Number.MAX_SAFE_INTEGER) return value;
  throw new TypeError(`${owner}: ${name} must be a number >= 0, got ${show(value)}.`);
}
