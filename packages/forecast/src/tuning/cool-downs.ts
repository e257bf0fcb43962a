import type { TuningSetting } from './setting-names.ts';

/** A cool-down doubles with each change that is undone, up to this factor. */
const LONGEST = 64;

interface CoolDown {
  until: number;
  undone: number;
}

/** Which settings may not be changed again yet, and in which direction. */
export class CoolDowns {
  readonly #coolDownMs: number;
  readonly #entries = new Map<string, CoolDown>();

  constructor(coolDownMs: number) {
    this.#coolDownMs = coolDownMs;
  }

  /** A change was made for nothing, or for the worse: the same is not tried again for longer and longer. */
  undone(setting: TuningSetting, from: number, to: number, now: number): void {
    const key = keyOf(setting, from, to);
    const undone = this.#entries.get(key)?.undone ?? 0;
    const until = now + this.#coolDownMs * Math.min(LONGEST, 2 ** undone);
    this.#entries.set(key, { until, undone: undone + 1 });
  }

  /** A change was good: it is not taken back at once, so that settings do not swing to and fro. */
  kept(setting: TuningSetting, from: number, to: number, now: number): void {
    this.#entries.delete(keyOf(setting, from, to));
    const back = keyOf(setting, to, from);
    const undone = this.#entries.get(back)?.undone ?? 0;
    this.#entries.set(back, { until: now + this.#coolDownMs, undone });
  }

  /** @returns until when such a change must wait, on the monotonic scale; `undefined` when it need not */
  until(setting: TuningSetting, from: number, to: number, now: number): number | undefined {
    const until = this.#entries.get(keyOf(setting, from, to))?.until;
    return until === undefined || until <= now ? undefined : until;
  }
}

function keyOf(setting: TuningSetting, from: number, to: number): string {
  return `${setting} ${to > from ? 'up' : 'down'}`;
}
