import { createContext, runInContext } from 'node:vm';
import { ManualClock, settle } from '@temper/testkit/clock';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ThroughPolicy } from '../../test/through-policy.ts';
import type { CallOptions, Operation } from '../contract.ts';
import { Call } from './context.ts';

const OPTIONS = [
  'signal',
  'timeoutMs',
  'operation',
  'attributes',
  'cost',
  'priority',
  'key',
  'parent',
] as const;
const KNOWN = OPTIONS.join(', ');

/** Every way in which options reach a policy; each resolves to the message of the error, if any. */
type Entry = (policy: ThroughPolicy, options: unknown) => Promise<string>;
const settled = (call: Promise<unknown>): Promise<string> =>
  call.then(() => 'accepted', String) as Promise<string>;
const ENTRIES: [string, Entry][] = [
  ['execute', (policy, options) => settled(policy.execute(() => 1, options as CallOptions))],
  [
    'tryExecute',
    async (policy, options) => {
      const outcome = await policy.tryExecute(() => 1, options as CallOptions);
      return outcome.ok ? 'accepted' : String(outcome.error);
    },
  ],
  [
    'wrap with fixed options',
    async (policy, options) => {
      let wrapped: () => Promise<number>;
      try {
        wrapped = policy.wrap(() => 1, options as CallOptions);
      } catch (error) {
        return String(error);
      }
      return settled(wrapped());
    },
  ],
  [
    'wrap with computed options',
    (policy, options) =>
      settled(
        policy.wrap(
          () => 1,
          () => options as CallOptions,
        )(),
      ),
  ],
];

const setUp = (): ThroughPolicy => new ThroughPolicy(new ManualClock());

describe.each(ENTRIES)('call options of %s', (name, enter) => {
  it.each<[string, unknown, string]>([
    ['null', null, 'TypeError: through: call options must be an object like { signal }, got null.'],
    ...[5, 'text', true, 5n, Symbol('s')].map((value): [string, unknown, string] => [
      String(value),
      value,
      'TypeError: through: call options must be an object like { signal }, got ',
    ]),
    ...[
      [[], 'Array'],
      [new Map(), 'Map'],
      [new Date(0), 'Date'],
      [Promise.resolve({ timeoutMs: 5 }), 'Promise'],
      [new AbortController().signal, 'AbortSignal'],
      [new AbortController(), 'AbortController'],
    ].map(([value, tag]): [string, unknown, string] => [
      `an instance of ${tag}`,
      value,
      `TypeError: through: call options must be an object like { signal }, got [object ${tag}].`,
    ]),
    [
      'an unknown option',
      { timeoutms: 5 },
      `TypeError: through: unknown call option 'timeoutms'; known are ${KNOWN}.`,
    ],
    [
      'an unknown option that is undefined',
      { foo: undefined },
      "TypeError: through: unknown call option 'foo'",
    ],
    [
      'an inherited unknown option',
      Object.create({ foo: 1 }),
      "TypeError: through: unknown call option 'foo'",
    ],
    [
      'an option named as a method of Object',
      { toString: 1 },
      "TypeError: through: unknown call option 'toString'",
    ],
    [
      'a bare context',
      new Call(),
      'TypeError: through: a call context is passed as { parent: context }.',
    ],
    [
      'a bare scope',
      new Call().scope(),
      'TypeError: through: a call context is passed as { parent: context }.',
    ],
    [
      'a signal that is an AbortController',
      { signal: new AbortController() },
      'TypeError: through: signal must be an AbortSignal, got an object.',
    ],
    [
      'a signal without removeEventListener',
      { signal: { aborted: false, addEventListener() {} } },
      'TypeError: through: signal must be an AbortSignal',
    ],
    [
      'a timeoutMs of -1',
      { timeoutMs: -1 },
      'RangeError: through: timeoutMs must be a number >= 0, got -1.',
    ],
    [
      'a timeoutMs of NaN',
      { timeoutMs: Number.NaN },
      'RangeError: through: timeoutMs must be a number >= 0, got NaN.',
    ],
    [
      'a timeoutMs that is text',
      { timeoutMs: '5' },
      "TypeError: through: timeoutMs must be a number >= 0, got '5'.",
    ],
    ['a cost of 0', { cost: 0 }, 'RangeError: through: cost must be a finite number > 0, got 0.'],
    [
      'a cost of Infinity',
      { cost: Number.POSITIVE_INFINITY },
      'RangeError: through: cost must be a finite number > 0, got Infinity.',
    ],
    [
      'a cost that is a bigint',
      { cost: 1n },
      'TypeError: through: cost must be a finite number > 0, got 1n.',
    ],
    [
      'an unknown priority',
      { priority: 'high' },
      "TypeError: through: priority must be one of 'sheddable', 'sheddable-plus', 'critical', 'critical-plus', got 'high'.",
    ],
    [
      'an empty operation',
      { operation: '' },
      "TypeError: through: operation must be a non-empty string, got ''.",
    ],
    ['an empty key', { key: '' }, "TypeError: through: key must be a non-empty string, got ''."],
    [
      'a key that is a number',
      { key: 7 },
      'TypeError: through: key must be a non-empty string, got 7.',
    ],
    [
      'attributes that are an array',
      { attributes: ['a'] },
      'TypeError: through: attributes must be an object, got an array of 1.',
    ],
    [
      'attributes that are a Map',
      { attributes: new Map() },
      'TypeError: through: attributes must be an object, got an object.',
    ],
    [
      'an attribute that is an object',
      { attributes: { a: {} } },
      "TypeError: through: attributes['a'] must be a string, number or boolean, got an object.",
    ],
    [
      'a parent that is no context',
      { parent: { signal: new AbortController().signal } },
      'TypeError: through: parent must be the context that an operation received, got an object.',
    ],
    [
      'a parent that is a hostile proxy',
      { parent: hostile() },
      'TypeError: through: parent must be the context that an operation received, got an object.',
    ],
  ])('refuse %s', async (_, options, message) => {
    const policy = setUp();
    const said = await enter(policy, options);
    expect(said.slice(0, message.length)).toBe(message);
    expect(policy.calls).toEqual([]);
  });

  it.each(OPTIONS)('refuse null, a function and a promise as %s', async (option) => {
    for (const value of [null, () => {}, Promise.resolve()]) {
      const policy = setUp();
      expect(await enter(policy, { [option]: value })).toMatch(
        new RegExp(`^TypeError: through: ${option} must be `),
      );
      expect(policy.calls).toEqual([]);
    }
  });

  it('check what the accessors of a class return', async () => {
    class Options {
      get timeoutMs(): unknown {
        return 'soon';
      }
    }
    expect(await enter(setUp(), new Options())).toMatch(/timeoutMs must be a number/);
  });

  it('treat undefined as absent', async () => {
    const policy = setUp();
    const options = Object.fromEntries(OPTIONS.map((option) => [option, undefined]));
    expect(await enter(policy, options)).toBe('accepted');
    expect(await enter(policy, undefined)).toBe('accepted');
    for (const call of policy.calls) {
      expect(call).toMatchObject({ attempt: 1, cost: 1 });
      expect(call.labels).toBeUndefined();
      expect(call.deadline).toBeUndefined();
    }
    expect(policy.calls).toHaveLength(2);
  });

  it('accept frozen objects, null prototypes, class instances and other realms', async () => {
    class Options {
      readonly key = 'tenant';
      get cost(): number {
        return 3;
      }
    }
    const realm = createContext({});
    for (const options of [
      Object.freeze({ key: 'tenant', cost: 3 }),
      Object.assign(Object.create(null), { key: 'tenant', cost: 3 }),
      Object.create({ key: 'tenant', cost: 3 }),
      new Options(),
      runInContext(`({ key: 'tenant', cost: 3 })`, realm),
      { key: 'tenant', cost: 3, [Symbol('other')]: 1 },
    ]) {
      const policy = setUp();
      expect(await enter(policy, options)).toBe('accepted');
      expect(policy.calls[0]).toMatchObject({ key: 'tenant', cost: 3 });
    }
  });

  it('ignore what was added to Object.prototype', async () => {
    const prototype = Object.prototype as unknown as Record<string, unknown>;
    prototype.polluted = 1;
    try {
      expect(await enter(setUp(), { cost: 2 })).toBe('accepted');
    } finally {
      delete prototype.polluted;
    }
  });

  it('accept a signal of another realm and follow it', async () => {
    const policy = setUp();
    const realm = createContext({ EventTarget, Event });
    const signal = runInContext(
      `class Signal extends EventTarget { aborted = false; reason = undefined }; new Signal()`,
      realm,
    );
    expect(await enter(policy, { signal, timeoutMs: 50 })).toBe('accepted');
    signal.aborted = true;
    signal.reason = 'stop';
    const aborted = await enter(setUp(), { signal });
    expect(aborted).toBe('stop');
  });

  it('accept or refuse any object without throwing, and never half', async () => {
    const value = fc.oneof(
      fc.anything(),
      fc.constantFrom('critical', new AbortController().signal),
    );
    const objects = fc.oneof(
      fc.record(Object.fromEntries(OPTIONS.map((option) => [option, value])), {
        requiredKeys: [],
      }),
      fc.dictionary(fc.oneof(fc.constantFrom(...OPTIONS), fc.string()), value),
      fc.anything(),
    );
    await fc.assert(
      fc.asyncProperty(objects, async (options) => {
        const policy = setUp();
        const said = await enter(policy, options);
        expect(said).toMatch(/^(accepted$|(Type|Range)Error: through: |DeadlineExceededError: )/);
        expect(policy.calls).toHaveLength(said === 'accepted' ? 1 : 0);
      }),
      { numRuns: name === 'execute' ? 500 : 100 },
    );
  });
});

describe('an operation that is not a function', () => {
  it.each([undefined, null, 5, 'text', {}, Promise.resolve(1)])('is refused: %o', async (value) => {
    const policy = setUp();
    const operation = value as unknown as Operation<number>;
    const message = /^TypeError: through: the operation must be a function, got /;
    for (const options of [undefined, {}, { timeoutMs: 5 }, { parent: new Call() }]) {
      expect(await settled(policy.execute(operation, options))).toMatch(message);
      const outcome = await policy.tryExecute(operation, options);
      expect(String(!outcome.ok && outcome.error)).toMatch(message);
    }
    expect(() => policy.wrap(value as unknown as () => number)).toThrow(
      /^through: wrap needs a function, got /,
    );
    expect(policy.calls).toEqual([]);
  });
});

describe('computed options of wrap', () => {
  it('see the arguments and this', async () => {
    const policy = setUp();
    const service = {
      tenant: 'a',
      load: policy.wrap(
        async function (this: { tenant: string }, id: number) {
          return `${this.tenant}${id}`;
        },
        function (this: { tenant: string }, id: number) {
          return { key: `${this.tenant}-${id}`, cost: id };
        } as (id: number) => CallOptions,
      ),
    };
    expect(await service.load(7)).toBe('a7');
    expect(policy.calls[0]).toMatchObject({ key: 'a-7', cost: 7 });
  });

  it('reject the call with what the function throws', async () => {
    const policy = setUp();
    const wrapped = policy.wrap(
      () => 1,
      () => {
        throw new Error('broken');
      },
    );
    await expect(wrapped()).rejects.toThrow('broken');
    expect(policy.calls).toEqual([]);
  });

  it('reject the first item of an async generator with what the function throws', async () => {
    const policy = setUp();
    const wrapped = policy.wrap(
      async function* () {
        yield 1;
      },
      () => {
        throw new Error('broken');
      },
    );
    const items = wrapped();
    await expect(items.next()).rejects.toThrow('broken');
    expect(policy.calls).toEqual([]);
  });

  const options = (async () => Promise.reject(new Error('broken'))) as unknown as CallOptions;
  const WRAPPED: Readonly<Record<string, () => Promise<unknown>>> = {
    'a function': () => setUp().wrap(() => 1, options)(),
    'an async generator': () =>
      setUp()
        .wrap(async function* () {
          yield 1;
        }, options)()
        .next(),
  };

  it.each(Object.keys(WRAPPED))(
    'of %s cause no unhandled rejection when they are asynchronous and reject',
    async (kind) => {
      const unhandled: unknown[] = [];
      const onUnhandled = (error: unknown): void => void unhandled.push(error);
      process.on('unhandledRejection', onUnhandled);
      await expect(WRAPPED[kind]?.()).rejects.toThrow(/got \[object Promise\]/);
      await settle();
      process.off('unhandledRejection', onUnhandled);
      expect(unhandled).toEqual([]);
    },
  );
});

function hostile(): object {
  return new Proxy(
    {},
    {
      get() {
        throw new Error('hostile');
      },
    },
  );
}
