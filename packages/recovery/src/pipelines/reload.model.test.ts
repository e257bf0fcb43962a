import { ManualClock, settle } from '@temper/testkit/clock';
import { Reach } from '@temper/testkit/repository/reach';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Pipelines, pipelines } from './pipelines.ts';

/** The expected state of a registry with one pipeline: the tag in force, and the tag of each call. */
interface Model {
  readonly reach: Reach<'begun' | 'finished' | 'reloaded' | 'refused' | 'on a former revision'>;
  tag: number;
  revision: number;
  calls: { readonly tag: number }[];
}

/** A policy that was created from a tag. Equal tags may be created twice, one after the other. */
interface Made {
  readonly tag: number;
  disposed: boolean;
}

class Real {
  readonly clock = new ManualClock();
  readonly made: Made[] = [];
  readonly registry: Pipelines;
  readonly open: { readonly finish: () => void; readonly ended: Promise<number> }[] = [];

  constructor() {
    const tagged = ({ tag }: { tag: number }) => {
      if (tag < 0) throw new RangeError('no such tag');
      const own: Made = { tag, disposed: false };
      this.made.push(own);
      return {
        execute: async <T>(operation: (context: never) => T | PromiseLike<T>): Promise<T> => {
          await operation(undefined as never);
          if (own.disposed) throw new Error('disposed while it served');
          return tag as T;
        },
        [Symbol.dispose]: () => {
          if (own.disposed) throw new Error('disposed twice');
          own.disposed = true;
        },
      };
    };
    this.registry = pipelines({ kinds: { tagged }, clock: this.clock });
    this.registry.define('p', [{ tagged: { tag: 0 } }]);
  }
}

type Step = fc.AsyncCommand<Model, Real>;

class Begin implements Step {
  check = (): boolean => true;
  async run(model: Model, real: Real): Promise<void> {
    let finish = (): void => {};
    const held = new Promise<void>((resolve) => {
      finish = resolve;
    });
    const policy = real.registry.get('p') as NonNullable<ReturnType<Pipelines['get']>>;
    const ended = policy.execute<number>(async () => {
      await held;
      return -1; // the policy answers with its tag in place of this
    });
    real.open.push({ finish, ended });
    model.calls.push({ tag: model.tag });
    model.reach.count('begun');
    await settle();
    check(model, real);
  }
  toString = (): string => 'begin';
}

class Finish implements Step {
  readonly which: number;
  constructor(which: number) {
    this.which = which;
  }
  check = (model: Readonly<Model>): boolean => model.calls.length > 0;
  async run(model: Model, real: Real): Promise<void> {
    const index = this.which % model.calls.length;
    const [call] = model.calls.splice(index, 1);
    const [open] = real.open.splice(index, 1);
    open?.finish();
    expect(await open?.ended).toBe(call?.tag);
    model.reach.count('finished');
    model.reach.count('on a former revision', call?.tag !== model.tag);
    await settle();
    check(model, real);
  }
  toString = (): string => `finish ${this.which}`;
}

class Reload implements Step {
  readonly tag: number;
  constructor(tag: number) {
    this.tag = tag;
  }
  check = (): boolean => true;
  async run(model: Model, real: Real): Promise<void> {
    const reload = (): number => real.registry.reload('p', [{ tagged: { tag: this.tag } }]);
    if (this.tag < 0) {
      expect(reload).toThrow('no such tag');
      model.reach.count('refused');
    } else {
      model.tag = this.tag;
      model.revision++;
      expect(reload()).toBe(model.revision);
      model.reach.count('reloaded');
    }
    await settle();
    check(model, real);
  }
  toString = (): string => `reload ${this.tag}`;
}

function check(model: Model, real: Real): void {
  const [listing] = real.registry.list();
  expect(listing).toMatchObject({
    revision: model.revision,
    inFlight: model.calls.length,
    definition: [{ tagged: { tag: model.tag } }],
  });
  const alive = new Set(real.made.filter(({ disposed }) => !disposed).map(({ tag }) => tag));
  expect(alive).toEqual(new Set([model.tag, ...model.calls.map(({ tag }) => tag)]));
}

describe('reload', () => {
  it('loses no call, runs none on a disposed policy, and counts calls in flight', async () => {
    const commands = [
      fc.constant(new Begin()),
      fc.nat(20).map((which) => new Finish(which)),
      fc.integer({ min: -1, max: 3 }).map((tag) => new Reload(tag)),
    ];
    const reach: Model['reach'] = new Reach(
      'begun',
      'finished',
      'reloaded',
      'refused',
      'on a former revision',
    );
    await fc.assert(
      fc.asyncProperty(fc.commands(commands, { maxCommands: 30 }), async (steps) => {
        const model: Model = { reach, tag: 0, revision: 1, calls: [] };
        const real = new Real();
        await fc.asyncModelRun(() => ({ model, real }), steps);
        for (const { finish } of real.open) finish();
        await Promise.all(real.open.map(({ ended }) => ended));
        expect(real.registry.list()).toMatchObject([{ inFlight: 0, draining: 0 }]);
        expect(real.made.filter(({ disposed }) => !disposed)).toMatchObject([{ tag: model.tag }]);
      }),
      { numRuns: 60 },
    );
    reach.expectAll(10);
  });
});
