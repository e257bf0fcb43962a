import type { Tally } from './counters.ts';
import type { Emit, ReadLevels } from './levels.ts';
import type { Life } from './life.ts';

const NONE: readonly Tally[] = [];

/**
 * An object that reports to a scope, such as a policy: what it counts, and how its levels are read. It is
 * weakly held. To make a weak reference takes longer than anything else here, so that there is one.
 */
export class Owner implements Disposable {
  readonly ref: WeakRef<object>;
  /** Replaced when one is added: an array that grows takes room for 17. */
  tallies: readonly Tally[] = NONE;
  /** `undefined` until it has counts. */
  life: Life | undefined;
  isReleased = false;
  /** Reads its levels; `undefined` where nothing does. */
  read: ReadLevels<never> | undefined;
  #ended: ((owner: object) => void) | undefined;

  constructor(object: object) {
    this.ref = new WeakRef(object);
  }

  /** @param ended - hears that the levels are no longer read; shared, so that each owner is small */
  observe(read: ReadLevels<never>, ended: ((owner: object) => void) | undefined): void {
    this.read = read;
    this.#ended = ended;
  }

  /** The levels are no longer read. */
  [Symbol.dispose](): void {
    if (this.read === undefined) return;
    this.read = undefined;
    const object = this.ref.deref();
    if (object !== undefined) this.#ended?.(object);
  }
}

/** Calls `emit` with every level of every living owner. What a reader throws goes to `safely`. */
export function readLevels(
  owners: Iterable<Owner>,
  safely: (work: () => void) => void,
  emit: Emit,
): void {
  for (const { read, ref } of owners) {
    if (read === undefined) continue;
    const owner = ref.deref();
    if (owner !== undefined) safely(() => (read as ReadLevels<object>)(owner, emit));
  }
}
