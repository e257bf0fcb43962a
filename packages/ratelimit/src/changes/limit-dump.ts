import type { Clock } from '@temper/core';
import { show } from '@temper/core/policy';
import type { Usage } from '../rules/rule.ts';
import { MAX_BLOCK_MS } from './rate-controls.ts';

/** The state of one key in a {@link LimitDump}. */
export interface KeyDump {
  /** Absent for a limiter without keys. Of a key longer than 128 characters, its SHA-256. */
  readonly key?: string;
  /** Units in use, and how long ago they were taken, in milliseconds; oldest first. */
  readonly used: readonly (readonly [agoMs: number, units: number])[];
  /** For how long the key is blocked, in milliseconds. */
  readonly blockedMs: number;
}

/** The state of a rate limiter as plain data, which `JSON.stringify` keeps. */
export interface LimitDump {
  readonly version: 1;
  /** When it was made, in milliseconds since the epoch. */
  readonly at: number;
  /** The keys of which something is in use or that are blocked, the one used longest ago first. */
  readonly keys: readonly KeyDump[];
}

/** A limiter whose state can be kept across a restart of its process. */
export interface Dumpable {
  /** The state at present. It names units, and no rule: it can be restored under another one. */
  dump(): LimitDump;
  /**
   * Replaces the state of the keys in the dump. The time since it was made counts; when the clock was set
   * back meanwhile, none does. Units in use stay in use under another rule, as when a limit changes.
   *
   * @throws {TypeError} unless it is a dump of this version, for a limiter of this kind; nothing is
   * changed then
   */
  restore(dump: LimitDump): void;
}

/** Makes a dump of keys. */
export function dumpOf(clock: Clock, keys: readonly KeyDump[]): LimitDump {
  return { version: 1, at: clock.now(), keys };
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
