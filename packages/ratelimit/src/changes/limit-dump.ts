import type { Clock } from '@temper/core';

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
