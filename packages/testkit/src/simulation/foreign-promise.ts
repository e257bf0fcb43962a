type Settle = (value: unknown) => void;
type Make = (promise: Promise<unknown>) => PromiseLike<unknown>;

/** Thenables of careless libraries. Each has the result of the promise. */
const KINDS: readonly Make[] = [
  // calls back twice
  (promise) =>
    thenable((resolve, reject) =>
      promise.then(
        (value) => {
          resolve(value);
          resolve('again');
        },
        (error) => {
          reject(error);
          reject(new Error('again'));
        },
      ),
    ),
  // changes its mind
  (promise) =>
    thenable((resolve, reject) =>
      promise.then(
        (value) => {
          resolve(value);
          reject(new Error('rejected after it had resolved'));
        },
        (error) => {
          reject(error);
          resolve('resolved after it had rejected');
        },
      ),
    ),
  // resolves to a thenable
  (promise) => thenable((resolve) => resolve(thenable((...to) => promise.then(...to)))),
  // throws after it has been listened to
  (promise) =>
    thenable((resolve, reject) => {
      resolve(promise);
      reject(new Error('rejected after it had resolved'));
      throw new Error('thrown after it had resolved');
    }),
];

/** The same result as a thenable of a careless library, of a kind by chance. */
export function foreignPromise(
  promise: Promise<unknown>,
  random: () => number,
): PromiseLike<unknown> {
  const make = KINDS[Math.floor(random() * KINDS.length)] as Make;
  return make(promise);
}

function thenable(then: (resolve: Settle, reject: Settle) => unknown): PromiseLike<unknown> {
  return {
    // biome-ignore lint/suspicious/noThenProperty: a thenable is what is made
    then: (resolve: Settle, reject: Settle) => void then(resolve, reject),
  } as unknown as PromiseLike<unknown>;
}
