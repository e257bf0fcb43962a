// What the compiler infers through policies, beside cockatiel. Checked by `tsc -p tsconfig.test.json`;
// nothing here runs.
import { circuitBreaker } from '@temper/breaker';
import { isTransient, type Outcome, type Policy, type ShouldHandle } from '@temper/core';
import { concurrency, keyed, throttle, tokenBucket } from '@temper/ratelimit';
import { adaptiveConcurrency } from '@temper/ratelimit/adaptive';
import { cached, fallback, hedge, pipeline, timeout } from '@temper/recovery';
import { retry } from '@temper/retry';
import * as cockatiel from 'cockatiel';

type Equal<A, B> =
  (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
const expect = <T extends true>(_proof?: T): void => undefined;

interface User {
  readonly id: number;
}
declare function load(id: number): Promise<User>;
declare function parse(text: string): User;
declare function find(id: number): Promise<User>;
declare function find(name: string): Promise<User | undefined>;
declare const client: { name: string; get(this: { name: string }, id: number): Promise<User> };

const policies = {
  retry: retry(),
  breaker: circuitBreaker(),
  bucket: tokenBucket(),
  bulkhead: concurrency(),
  keyed: keyed({ template: tokenBucket() }),
  throttle: throttle(),
  timeout: timeout(),
  hedge: hedge(),
  cached: cached({ freshMs: 1000 }),
  pipeline: pipeline({}, retry(), circuitBreaker()),
} satisfies Record<string, Policy>;

// execute: the operation's value, awaited; synchronous operations become promises.
const executed = policies.retry.execute(() => load(1));
expect<Equal<typeof executed, Promise<User>>>();
const synchronous = policies.pipeline.execute(() => parse('{}'));
expect<Equal<typeof synchronous, Promise<User>>>();
const tried = policies.breaker.tryExecute(({ signal, attempt, key }) => {
  expect<Equal<typeof signal, AbortSignal>>();
  expect<Equal<typeof attempt, number>>();
  expect<Equal<typeof key, string | undefined>>();
  return load(attempt);
});
expect<Equal<typeof tried, Promise<Outcome<User>>>>();
const theirs = cockatiel.retry(cockatiel.handleAll, {}).execute(() => load(1));
expect<Equal<typeof theirs, Promise<User>>>();

// wrap: the same type, overloads and `this` included. cockatiel's wrapped function has one signature,
// with the parameters of the last overload, and no `this`.
const wrapped = policies.pipeline.wrap(find);
const byId = wrapped(1);
const byName = wrapped('ann');
expect<Equal<typeof byId, Promise<User>>>();
expect<Equal<typeof byName, Promise<User | undefined>>>();
const method = policies.retry.wrap(client.get);
method.call(client, 1);
// @ts-expect-error the wrapped method needs its `this`
method.call({}, 1);
const asynchronous = policies.retry.wrap(parse);
expect<Equal<ReturnType<typeof asynchronous>, Promise<User>>>();
policies.cached.wrap(load, (id) => {
  expect<Equal<typeof id, number>>();
  return { key: String(id) };
});
// @ts-expect-error an option that does not exist
policies.retry.wrap(load, { retries: 3 });
// @ts-expect-error a key is a string
policies.keyed.execute(() => load(1), { key: 1 });

// pipeline: the type of the operation passes through any number of policies.
const stacked = pipeline({}, policies.timeout, policies.retry, policies.breaker, policies.hedge);
const passed = stacked.execute(() => load(1));
expect<Equal<typeof passed, Promise<User>>>();
const theirStack = cockatiel.wrap(
  cockatiel.retry(cockatiel.handleAll, {}),
  cockatiel.timeout(1000, cockatiel.TimeoutStrategy.Aggressive),
);
const theirPassed = theirStack.execute(() => load(1));
expect<Equal<typeof theirPassed, Promise<User>>>();

// fallback: what the operation returns; the value that stands in is not part of the type of the policy,
// as in cockatiel it is.
const answered = fallback({ handler: (): User => ({ id: 0 }) }).execute(() => load(1));
expect<Equal<typeof answered, Promise<User>>>();
const theirAnswered = cockatiel.fallback(cockatiel.handleAll, { id: 0 }).execute(() => load(1));
const theirUser: Promise<User | { id: number }> = theirAnswered;
void theirUser;

// shouldHandle: one type in every policy; a typed lambda is accepted, an untyped one sees `unknown`.
const serverError = (o: Outcome<Response>): boolean => o.ok && o.value.status >= 500;
const untyped: ShouldHandle = (o) => {
  if (o.ok) expect<Equal<typeof o.value, unknown>>();
  return isTransient(o);
};
for (const shouldHandle of [serverError, untyped]) {
  retry({ shouldHandle });
  circuitBreaker({ shouldHandle });
  hedge({ shouldHandle });
  fallback({ shouldHandle, handler: () => undefined });
  cached({ shouldHandle, freshMs: 1000 });
  throttle({ shouldHandle });
  adaptiveConcurrency({ shouldHandle });
}
// @ts-expect-error a predicate answers at once
retry({ shouldHandle: async () => true });
