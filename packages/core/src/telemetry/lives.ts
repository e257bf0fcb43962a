import { systemClock } from '../clock.ts';
import type { Attributes } from './definitions.ts';
import { Life } from './life.ts';

/** Policies whose series are kept after their end, so that a policy of the same name goes on counting. */
const KEPT = 1_000;

/** Policies that may begin and end between two collections and still be told apart. */
const UNREAD = 2_000;

/** Collections by others after which a reader that does not collect is not waited for. */
const PATIENCE = 100;

/** What is done with the series of lives that are over. */
export interface SeriesOfLives {
  /** Adds what these lives have counted to the overflow series. */
  overflow(lives: ReadonlySet<Life>): void;
  /**
   * Removes the series of these lives.
   *
   * @param read - whether readers have seen them
   */
  drop(lives: ReadonlySet<Life>, read: boolean): void;
}

/**
 * Ends series with their policies. Those of a name whose last policy was disposed of are exported once
 * more by every reader, and then no longer. The last {@link KEPT} of them are kept: a new policy of the
 * same name goes on from where they stood. Older ones are dropped, and begin anew with such a policy.
 *
 * Where more than {@link UNREAD} policies begin and end without a collection, their counts are moved to
 * the overflow series of each metric.
 */
export class Lives {
  readonly #series: SeriesOfLives;
  /** In the order in which their last policy was disposed of. */
  readonly #ending = new Set<Life>();
  readonly #ended = new Set<Life>();
  /** By reader, the number of its last collection. */
  readonly #seen = new WeakMap<object, number>();
  #collections = 0;
  #droppedAt: number | undefined;
  /** Lives in {@link #ending} that no reader has seen. */
  #unread = 0;

  constructor(series: SeriesOfLives) {
    this.#series = series;
  }

  create(base: Attributes): Life {
    return new Life(base, this.#collections, this.#droppedAt);
  }

  enter(life: Life): void {
    life.owners++;
    this.#revive(life);
  }

  leave(life: Life): void {
    life.owners--;
    this.end(life);
  }

  /** Has the series exported once more and then no longer, unless policies live. */
  end(life: Life): void {
    if (life.owners > 0) return;
    this.#revive(life);
    life.endedIn = this.#collections;
    this.#ending.add(life);
    if (life.bornIn === this.#collections && ++this.#unread > UNREAD) this.#overflow();
  }

  #revive(life: Life): void {
    life.hasEnded = false;
    this.#ended.delete(life);
    if (this.#ending.delete(life) && life.bornIn === this.#collections) this.#unread--;
  }

  /**
   * To be called after each collection.
   *
   * @param reader - whose collection it was
   * @param readers - all that read at present
   */
  collected(reader: object, readers: readonly object[]): void {
    this.#collections++;
    this.#unread = 0;
    this.#seen.set(reader, this.#collections);
    if (this.#ending.size === 0) return;
    let seenByAll = this.#collections;
    for (const each of readers) {
      const seen = this.#seen.get(each);
      // Waited for from now on.
      if (seen === undefined) this.#seen.set(each, this.#collections - 1);
      const last = seen ?? this.#collections - 1;
      if (this.#collections - last < PATIENCE) seenByAll = Math.min(seenByAll, last);
    }
    for (const life of this.#ending) {
      if (life.endedIn >= seenByAll) continue;
      this.#ending.delete(life);
      life.hasEnded = true;
      this.#ended.add(life);
    }
    this.#dropOldest();
  }

  #dropOldest(): void {
    const oldest = new Set<Life>();
    for (const life of this.#ended) {
      if (this.#ended.size - oldest.size <= KEPT) break;
      oldest.add(life);
    }
    for (const life of oldest) this.#ended.delete(life);
    if (oldest.size > 0) this.#drop(oldest, true);
  }

  /** Moves what no reader has seen to the overflow series. */
  #overflow(): void {
    const unread = new Set<Life>();
    for (const life of this.#ending) if (life.bornIn === this.#collections) unread.add(life);
    for (const life of unread) this.#ending.delete(life);
    this.#unread = 0;
    this.#series.overflow(unread);
    this.#drop(unread, false);
  }

  #drop(lives: ReadonlySet<Life>, read: boolean): void {
    this.#droppedAt = systemClock.now();
    this.#series.drop(lives, read);
  }
}
