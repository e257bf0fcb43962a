import { describe, expect, it } from 'vitest';
import { type Held, Holders } from './circular-waits.ts';
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
    const endWait = two.beginWait(call, 1) as () => void;
    expect([...two.waiting]).toEqual([call.held]);
    expect(two.mayServe(1)).toBe(true);
    expect(two.mayServe(2)).toBe(false);
    endWait();
    expect([...two.waiting]).toEqual([]);
    expect(two.mayServe(2)).toBe(true);
  });

  it('forget the waits of a holder that has ended, whose parts are no parts of a holder any more', () => {
    const [one, other] = [limited(1), limited(1)];
    const call = new Holding(one.hold(1));
    const endWait = other.beginWait(call, 1) as () => void;
    one.end(call.held);
    expect([...one.waiting]).toEqual([]);
    expect(one.beginWait(call, 1)).toBeUndefined();
    endWait();
    expect([...one.waiting]).toEqual([]);
  });

  it('tell the wait that closes a circle, and none before it', () => {
    const ring = Array.from({ length: 4 }, () => limited(1));
    const calls = ring.map((at) => new Holding(at.hold(1)));
    const waits = calls.map((call, i) => ring[(i + 1) % ring.length]?.beginWait(call, 1));
    expect(waits).toEqual([...Array(3).fill(expect.any(Function)), 'stuck']);
  });

  it('tell no circle as long as one of its units can come back', () => {
    const [one, other] = [limited(2), limited(1)];
    const calls = [new Holding(one.hold(1)), new Holding(other.hold(1))];
    one.hold(1); // by a call that waits for nothing
    expect(other.beginWait(calls[0] as Call, 1)).toEqual(expect.any(Function));
    expect(one.beginWait(calls[1] as Call, 1)).toEqual(expect.any(Function));
  });

  it('count the units of calls around one another', () => {
    const three = limited(3);
    const outer = new Holding(three.hold(1));
    const inner = new Holding(three.hold(1), outer);
    expect(three.beginWait(inner, 1)).toEqual(expect.any(Function));
    expect(three.beginWait(inner, 2)).toBe('stuck');
  });
});
