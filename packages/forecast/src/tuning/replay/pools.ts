import type { Random } from '@temper/core';
import type { RecordedCall, RecordedTry } from '../recorded-call.ts';

/** A try as it would be if nothing cut it off; one that never ends takes `Infinity`. */
export interface Fate {
  readonly ms: number;
  readonly end: 'answered' | 'failed' | 'fatal';
  /** Whether it was recorded; what was drawn was never seen. */
  readonly seen: boolean;
}

/** How much is taken for granted of what was never seen. */
export type Mode = 'likely' | 'best' | 'worst';

/** Tries of one number that are needed to draw from them. */
const NEEDED = 30;

/** What was recorded, to draw from it what was not. */
export class Pools {
  /** First tries that ended by themselves, by number of the attempt. */
  readonly #attempts = new Map<number, RecordedTry[]>();
  readonly #hedges: RecordedTry[] = [];
  /** Waits before the attempt of this number. */
  readonly #gaps = new Map<number, number[]>();
  /** Durations of first tries that ended by themselves, ascending, to draw from above a duration. */
  readonly #sorted: RecordedTry[];
  readonly #random: Random;

  constructor(calls: readonly RecordedCall[], random: Random) {
    this.#random = random;
    for (const { tries } of calls) {
      let endedAt = 0;
      let attempt = 1;
      for (const one of tries) {
        if (one.attempt !== attempt) {
          listOf(this.#gaps, one.attempt).push(Math.max(0, one.atMs - endedAt));
          attempt = one.attempt;
        }
        endedAt = Math.max(endedAt, one.atMs + one.tookMs);
        if (one.hedge > 1) this.#hedges.push(one);
        else listOf(this.#attempts, one.attempt).push(one);
      }
    }
    this.#sorted = [...this.#attempts.values()]
      .flat()
      .filter(({ result }) => result !== 'timeout' && result !== 'lost')
      .sort((a, b) => a.tookMs - b.tookMs);
  }

  /** A try of this attempt that was not made: like those of that number, or of the last that has enough. */
  attempt(number: number, mode: Mode): Fate {
    let known = number;
    while (known > 1 && (this.#attempts.get(known)?.length ?? 0) < NEEDED) known--;
    const fate = this.#drawFrom(this.#attempts.get(known) ?? [], mode);
    // That attempts beyond those that were made help as much as these is a guess: at worst they do not.
    return mode === 'worst' && known < number && fate.end === 'answered'
      ? { ...fate, end: 'failed' }
      : fate;
  }

  /** A hedge that was not made: like those that were, or like first tries. */
  hedge(number: number, mode: Mode): Fate {
    return this.#hedges.length >= NEEDED
      ? this.#drawFrom(this.#hedges, mode)
      : this.attempt(number, mode);
  }

  /** The wait before an attempt that was not made; `undefined` when none of its number was. */
  gap(number: number): number | undefined {
    return this.#pick(this.#gaps.get(number) ?? []);
  }

  /** A try as it would be if nothing had cut it off. */
  whole({ tookMs, result }: RecordedTry, mode: Mode, draws: boolean = true): Fate {
    if (result === 'answered' || result === 'failed' || result === 'fatal') {
      return { ms: tookMs, end: result, seen: true };
    }
    if (!draws) return { ms: Number.POSITIVE_INFINITY, end: 'failed', seen: false };
    const above = result === 'lost' ? this.#above(tookMs) : undefined;
    if (above !== undefined) return { ms: above.tookMs, end: endOf(above), seen: false };
    // Nothing was seen to end so late: it may have been about to, or never.
    return mode === 'best'
      ? { ms: tookMs * 1.001, end: 'answered', seen: false }
      : { ms: Number.POSITIVE_INFINITY, end: 'failed', seen: false };
  }

  #drawFrom(tries: readonly RecordedTry[], mode: Mode): Fate {
    const one = this.#pick(tries);
    if (one === undefined) return { ms: 0, end: 'failed', seen: false };
    return { ...this.whole(one, mode), seen: false };
  }

  #above(ms: number): RecordedTry | undefined {
    let low = 0;
    let high = this.#sorted.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#sorted[middle] as RecordedTry).tookMs > ms) high = middle;
      else low = middle + 1;
    }
    return this.#sorted[low + Math.floor(this.#random() * (this.#sorted.length - low))];
  }

  #pick<T>(list: readonly T[]): T | undefined {
    return list[Math.floor(this.#random() * list.length)];
  }
}

function endOf({ result }: RecordedTry): Fate['end'] {
  return result === 'answered' || result === 'fatal' ? result : 'failed';
}

function listOf<K, V>(map: Map<K, V[]>, key: K): V[] {
  let list = map.get(key);
  if (list === undefined) {
    list = [];
    map.set(key, list);
  }
  return list;
}
