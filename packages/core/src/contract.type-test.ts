// Checked by `tsc -p tsconfig.test.json`; nothing in here runs.
import type {
  CallContext,
  CallOptions,
  Executor,
  Operation,
  Outcome,
  Policy,
  ShouldHandle,
  WrapOptions,
} from './index.ts';
import { isTransient } from './index.ts';
import { decide, type InCallExecutor, type PolicyBase } from './policy.ts';

type Equal<A, B> =
  (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
/** Compiles only when every case is `true`. */
declare function expectAll<_Cases extends readonly true[]>(): void;

declare const policy: Policy;
declare const base: PolicyBase;
interface User {
  readonly id: string;
}
declare function load(id: string): Promise<User>;
declare function load(id: string, raw: true): Promise<Uint8Array>;
declare class Client {
  get(this: Client, path: string): Promise<Response>;
}

/** The operation decides the result of execute and tryExecute: a value, a promise, a thenable. */
export async function execute(): Promise<void> {
  const fromValue = policy.execute(() => 1);
  const fromPromise = policy.execute(async () => ({ id: 'a' }) as User);
  const fromThenable = policy.execute(() => ({}) as PromiseLike<string>);
  const fromNever = policy.execute(() => {
    throw new Error('x');
  });
  // @ts-expect-error: TypeScript infers no union from a value beside a promise; such a lambda is async
  void policy.execute((call) => (call.attempt > 1 ? 'cached' : Promise.resolve(2)));
  const mixed = policy.execute(async (call) => (call.attempt > 1 ? 'cached' : 2));
  const outcome = await policy.tryExecute(async ({ signal }) => signal.aborted);
  const inferred: Operation<User> = ({ key }) => load(key ?? 'a');
  const fromOperation = base.execute(inferred);
  expectAll<
    [
      Equal<typeof fromValue, Promise<number>>,
      Equal<typeof fromPromise, Promise<User>>,
      Equal<typeof fromThenable, Promise<string>>,
      Equal<typeof fromNever, Promise<never>>,
      Equal<typeof mixed, Promise<'cached' | 2>>,
      Equal<typeof outcome, Outcome<boolean>>,
      Equal<typeof fromOperation, Promise<User>>,
      Equal<Parameters<Operation<1>>, [call: CallContext]>,
    ]
  >();
  if (outcome.ok) outcome.value satisfies boolean;
  else outcome.error satisfies unknown;
  // @ts-expect-error: an error outcome has no value
  if (!outcome.ok) outcome.value;
}

/** wrap keeps overloads, generics and `this`, and makes a synchronous function asynchronous. */
export function wrap(client: Client): void {
  const overloaded = policy.wrap(load);
  const generic = policy.wrap(async <T>(value: T): Promise<T> => value);
  const method = policy.wrap(Client.prototype.get);
  const sync = policy.wrap((text: string, radix?: number) => Number.parseInt(text, radix));
  const syncThis = policy.wrap(function (this: Client, n: number) {
    return [this, n] as const;
  });
  expectAll<
    [
      Equal<typeof overloaded, typeof load>,
      Equal<typeof method, (this: Client, path: string) => Promise<Response>>,
      Equal<typeof sync, (text: string, radix?: number) => Promise<number>>,
      Equal<typeof syncThis, (this: Client, n: number) => Promise<readonly [Client, number]>>,
    ]
  >();
  const user = overloaded('a');
  const raw = overloaded('a', true);
  const same = generic('a' as const);
  expectAll<
    [
      Equal<typeof user, Promise<User>>,
      Equal<typeof raw, Promise<Uint8Array>>,
      Equal<typeof same, Promise<'a'>>,
    ]
  >();
  method.call(client, '/');
  // @ts-expect-error: `this` must be a Client
  method.call({}, '/');
  // @ts-expect-error: no overload takes a number
  overloaded(5);
}

/** Options of wrap: fixed, or computed from the parameters of the function. */
export function wrapOptions(): void {
  policy.wrap(async (id: string, weight: number) => [id, weight], { key: 'a', cost: 2 });
  policy.wrap(
    async (id: string, weight: number) => [id, weight],
    (id, weight) => {
      expectAll<[Equal<typeof id, string>, Equal<typeof weight, number>]>();
      return { key: id, cost: weight };
    },
  );
  policy.wrap(
    (id: string, weight: number) => [id, weight],
    (id, weight) => {
      expectAll<[Equal<typeof id, string>, Equal<typeof weight, number>]>();
      return weight > 1 ? { key: id } : undefined;
    },
  );
  // @ts-expect-error: unknown options are refused
  policy.wrap(async () => 1, { deadlineMs: 5 });
  policy.wrap(
    async (id: string) => id,
    // @ts-expect-error: options are computed synchronously
    async (id) => ({ key: id }),
  );
  const computed: WrapOptions<[id: string]> = (id) => ({ key: id });
  void computed;
}

/** Call options: a closed list, `undefined` allowed, contexts only as parent. */
export function callOptions(call: CallContext, signal: AbortSignal): void {
  const all: CallOptions = {
    signal,
    timeoutMs: 5,
    operation: 'fetch',
    attributes: { tenant: 'a', retry: 1, cached: true },
    cost: 2,
    priority: 'critical',
    key: 'a',
    parent: call,
  };
  const none: { [K in keyof Required<CallOptions>]: undefined } = {
    signal: undefined,
    timeoutMs: undefined,
    operation: undefined,
    attributes: undefined,
    cost: undefined,
    priority: undefined,
    key: undefined,
    parent: undefined,
  };
  void policy.execute(() => 1, all);
  void policy.execute(() => 1, none);
  // @ts-expect-error: null is not absent
  void policy.execute(() => 1, { timeoutMs: null });
  // @ts-expect-error: not a priority
  void policy.execute(() => 1, { priority: 'high' });
  // @ts-expect-error: a signal is passed as { signal }
  void policy.execute(() => 1, signal);
  // @ts-expect-error: attributes are strings, numbers and booleans
  void policy.execute(() => 1, { attributes: { a: {} } });
  // @ts-expect-error: the fields of a context are read-only
  call.attempt = 2;
}

/** shouldHandle takes lambdas with and without a typed parameter. */
export function shouldHandle(): void {
  const typed: ShouldHandle = (o: Outcome<Response>) => o.ok && o.value.status === 202;
  const untyped: ShouldHandle = (o, call) => {
    expectAll<[Equal<typeof o, Outcome<unknown>>, Equal<typeof call, CallContext>]>();
    return isTransient(o) || (o.ok && o.value === 'pending');
  };
  const byAttempt: ShouldHandle = (_: Outcome<User>, { attempt }) => attempt < 2;
  const constant: ShouldHandle = () => true;
  const named: ShouldHandle = isTransient;
  // @ts-expect-error: an answer, not a promise of one
  const asynchronous: ShouldHandle = async () => true;
  // @ts-expect-error: it gets an outcome, not an error
  const ofError: ShouldHandle = (error: Error) => error.name === 'x';
  for (const each of [typed, untyped, byAttempt, constant, named, asynchronous, ofError]) {
    decide('policy', each, { ok: true, value: 1 }, {} as CallContext) satisfies boolean;
  }
}

/** Every policy can be passed as an executor, and every PolicyBase joins calls. */
export const asExecutor: Executor = policy;
export const asPolicy: Policy = base;
export const asMember: InCallExecutor = base;
// @ts-expect-error: a policy of others need not join calls
export const notMember: InCallExecutor = policy;

/** An async generator function keeps its type, and `execute` resolves to its generator. */
export async function iterations(): Promise<void> {
  async function* count(this: User, to: number): AsyncGenerator<number, string, boolean> {
    for (let i = 0; i < to; i++) yield i;
    return 'done';
  }
  const wrapped = policy.wrap(count, (to) => ({ cost: to }));
  const executed = await policy.execute(async function* (call) {
    expectAll<[Equal<typeof call, CallContext>]>();
    yield call.attempt;
  });
  const counted: AsyncGenerator<number> = base.wrap(async function* (to: number) {
    yield to;
  })(3);
  expectAll<
    [
      Equal<typeof wrapped, typeof count>,
      Equal<typeof executed, AsyncGenerator<number, void, unknown>>,
    ]
  >();
  for await (const each of counted) each satisfies number;
}
