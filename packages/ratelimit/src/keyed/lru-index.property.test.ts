import { Reach } from '@temper/testkit/repository/reach';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LruIndex } from './lru-index.ts';

const KEYS = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'];

interface Model {
  readonly reach: Reach<'added' | 'used again' | 'removed' | 'pinned' | 'unpinned'>;
  /** From the oldest to the newest, without the pinned. */
  order: string[];
  pinned: Set<string>;
  slots: Map<string, number>;
  now: number;
  usedAt: Map<string, number>;
}

class UseCommand implements fc.Command<Model, LruIndex> {
  readonly key: string;
  constructor(key: string) {
    this.key = key;
  }
  check(model: Readonly<Model>): boolean {
    return !model.pinned.has(this.key);
  }
  run(model: Model, index: LruIndex): void {
    model.now++;
    const slot = index.find(this.key);
    expect(slot).toBe(model.slots.get(this.key) ?? -1);
    model.reach.count(slot === -1 ? 'added' : 'used again');
    if (slot === -1) {
      const added = index.add(this.key, model.now);
      expect([...model.slots.values()]).not.toContain(added);
      model.slots.set(this.key, added);
    } else {
      index.touch(slot, model.now);
    }
    model.order = [...model.order.filter((other) => other !== this.key), this.key];
    model.usedAt.set(this.key, model.now);
    compare(model, index);
  }
  toString = () => `use ${this.key}`;
}

class ForgetOldestCommand implements fc.Command<Model, LruIndex> {
  check(model: Readonly<Model>): boolean {
    return model.order.length > 0;
  }
  run(model: Model, index: LruIndex): void {
    const [oldest, ...rest] = model.order;
    index.remove(index.oldest);
    model.reach.count('removed');
    model.slots.delete(oldest!);
    model.order = rest;
    compare(model, index);
  }
  toString = () => 'forget the oldest';
}

class PinCommand implements fc.Command<Model, LruIndex> {
  readonly key: string;
  constructor(key: string) {
    this.key = key;
  }
  check(model: Readonly<Model>): boolean {
    return model.slots.has(this.key);
  }
  run(model: Model, index: LruIndex): void {
    const slot = model.slots.get(this.key)!;
    if (model.pinned.delete(this.key)) {
      model.now++;
      index.unpin(slot, model.now);
      model.reach.count('unpinned');
      model.usedAt.set(this.key, model.now);
      model.order = [...model.order, this.key];
    } else {
      index.pin(slot);
      model.reach.count('pinned');
      model.pinned.add(this.key);
      model.order = model.order.filter((other) => other !== this.key);
    }
    compare(model, index);
  }
  toString = () => `pin or unpin ${this.key}`;
}

function compare(model: Model, index: LruIndex): void {
  expect(index.size).toBe(model.slots.size);
  const [oldest] = model.order;
  expect(index.oldest).toBe(oldest === undefined ? -1 : model.slots.get(oldest));
  for (const [key, slot] of model.slots) {
    expect(index.find(key)).toBe(slot);
    expect(index.usedAt(slot)).toBe(model.usedAt.get(key));
  }
}

describe('the index of keys', () => {
  it('behaves as a simple list in order of use', () => {
    const key = fc.constantFrom(...KEYS);
    const commands = fc.commands(
      [
        key.map((one) => new UseCommand(one)),
        fc.constant(new ForgetOldestCommand()),
        key.map((one) => new PinCommand(one)),
      ],
      { maxCommands: 100 },
    );
    const reach = new Reach('added', 'used again', 'removed', 'pinned', 'unpinned');
    fc.assert(
      fc.property(commands, (script) => {
        const model: Model = {
          reach,
          order: [],
          pinned: new Set(),
          slots: new Map(),
          now: 0,
          usedAt: new Map(),
        };
        fc.modelRun(() => ({ model, real: new LruIndex(KEYS.length) }), script);
      }),
      { numRuns: 300 },
    );
    reach.expectAll(100);
  });

  it('grows with its keys, and no further than it may', () => {
    const index = new LruIndex(100);
    expect(index.capacity).toBe(16);
    for (let i = 0; i < 100; i++) index.add(`key-${i}`, i);
    expect(index.capacity).toBe(100);
    expect(index.full).toBe(true);
    for (let i = 0; i < 100; i++) expect(index.find(`key-${i}`)).toBe(i);
  });
});
