import { describe, expect, it } from 'vitest';
import { type Held, Holders, type PartWait } from './circular-waits.ts';
import { Call } from './context.ts';

class Holding extends Call {
  readonly #held: Held;

  constructor(held: Held, around?: Call) {
    super(1, undefined, undefined, around);
    this.#held = held;
  }

  override get held(): Held {
    return this.#held;
  }
}

const limited = (limit: number): Holders => new Holders((cost, stuck) => stuck + cost <= limit);

describe('Holders', () => {
  it('know nothing of a call that is no part of one that holds something', () => {
    expect(limited(1).beginWait(new Call(), 1)).toBeUndefined();
  });

  it('tell a part that waits for all that its call holds', () => {
    const one = limited(1);
    const call = new Holding(one.hold(1));
    expect(one.beginWait(new Call(1, undefined, undefined, call), 1)).toBe('stuck');
    expect([...one.waiting]).toEqual([]);
  });

  it('have a part wait that can be served, and forget it when it waits no longer', () => {
    const two = limited(2);
    const call = new Holding(two.hold(1));
    const wait = two.beginWait(call, 1) as PartWait;
    expect([...two.waiting]).toEqual([call.held]);
    expect(two.mayServe(1)).toBe(true);
    expect(two.mayServe(2)).toBe(false);
    wait.end();
    expect([...two.waiting]).toEqual([]);
    expect(two.mayServe(2)).toBe(true);
  });

  it('forget the waits of a holder that has ended, whose parts are no parts of a holder any more', () => {
    const [one, other] = [limited(1), limited(1)];
    const call = new Holding(one.hold(1));
    const wait = other.beginWait(call, 1) as PartWait;
    one.end(call.held);
    expect([...one.waiting]).toEqual([]);
    expect(one.beginWait(call, 1)).toBeUndefined();
    wait.end();
    expect([...one.waiting]).toEqual([]);
  });

  it('tell the wait that closes a circle, and none before it', () => {
    const ring = Array.from({ length: 4 }, () => limited(1));
    const calls = ring.map((at) => new Holding(at.hold(1)));
    const waits = calls.map((call, i) => ring[(i + 1) % ring.length]?.beginWait(call, 1));
    expect(waits).toEqual([...Array(3).fill(expect.objectContaining({ cost: 1 })), 'stuck']);
  });

  it('tell no circle as long as one of its units can come back', () => {
    const [one, other] = [limited(2), limited(1)];
    const calls = [new Holding(one.hold(1)), new Holding(other.hold(1))];
    one.hold(1); // by a call that waits for nothing
    expect(other.beginWait(calls[0] as Call, 1)).toEqual(expect.objectContaining({ cost: 1 }));
    expect(one.beginWait(calls[1] as Call, 1)).toEqual(expect.objectContaining({ cost: 1 }));
  });

  it('count the units of calls around one another', () => {
    const three = limited(3);
    const outer = new Holding(three.hold(1));
    const inner = new Holding(three.hold(1), outer);
    expect(three.beginWait(inner, 1)).toEqual(expect.objectContaining({ cost: 1 }));
    expect(three.beginWait(inner, 2)).toBe('stuck');
  });

  it('say that a part is urgent whose calls are waited for by those that it waits for, and no other', () => {
    const [outer, inner] = [limited(9), limited(9)];
    const hurried: string[] = [];
    const heard = new Holders(
      (cost, stuck) => stuck + cost <= 9,
      () => hurried.push('heard'),
    );
    // A pipeline of limits: all parts wait at the inner one.
    const first = inner.beginWait(new Holding(outer.hold(1)), 1) as PartWait;
    const second = heard.beginWait(new Holding(inner.hold(1), new Holding(outer.hold(1))), 1);
    expect([first.urgent, (second as PartWait).urgent, hurried]).toEqual([false, false, []]);
    // A holder of the innermost one waits at the outer one, so that all three are a circle.
    const third = outer.beginWait(new Holding(heard.hold(1)), 1) as PartWait;
    expect([first.urgent, (second as PartWait).urgent, third.urgent]).toEqual([true, true, true]);
    expect(hurried).toEqual(['heard']);
    for (const each of [first, second as PartWait, third]) each.end();
    expect((inner.beginWait(new Holding(outer.hold(1)), 1) as PartWait).urgent).toBe(false);
  });

  it('say that a part is urgent that waits for more of what its own call holds', () => {
    const nine = limited(9);
    expect((nine.beginWait(new Holding(nine.hold(1)), 1) as PartWait).urgent).toBe(true);
  });
});
