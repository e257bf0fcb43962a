import { runInNewContext } from 'node:vm';

/** Ways in which a promise of another library can misbehave, and the result that it must have. */
export interface ForeignPromise {
  readonly what: string;
  /** `late` yields its value after a time, `pending` never. */
  readonly settles: 'value' | 'error' | 'late' | 'pending';
  /** @param later - calls back after a time */
  create(later: (callback: () => void) => void): PromiseLike<string>;
}

type Settle = (value: string | PromiseLike<string>) => void;

/** A thenable whose `then` does this. */
function thenable(then: (resolve: Settle, reject: (error: unknown) => void) => void) {
  return { then } as unknown as PromiseLike<string>;
}

export const VALUE = 'value';
export const ERROR: Error = new Error('own');

class CountingPromise<T> extends Promise<T> {
  // biome-ignore lint/suspicious/noThenProperty: a subclass that calls back twice
  override then(...args: Parameters<Promise<T>['then']>): never {
    const [onValue] = args as [((value: unknown) => void) | undefined];
    super.then(...args);
    return super.then(onValue as never) as never;
  }
}

export const FOREIGN_PROMISES: readonly ForeignPromise[] = [
  {
    what: 'has a then getter that throws',
    settles: 'error',
    create: () =>
      Object.defineProperty({}, 'then', {
        get: () => {
          throw ERROR;
        },
      }) as never,
  },
  {
    what: 'has a then that throws',
    settles: 'error',
    create: () =>
      thenable(() => {
        throw ERROR;
      }),
  },
  {
    what: 'resolves twice',
    settles: 'value',
    create: (later) =>
      thenable((resolve) => {
        resolve(VALUE);
        resolve('again');
        later(() => resolve('and again'));
      }),
  },
  {
    what: 'rejects twice',
    settles: 'error',
    create: (later) =>
      thenable((_, reject) => {
        reject(ERROR);
        reject(new Error('again'));
        later(() => reject(new Error('and again')));
      }),
  },
  {
    what: 'resolves, then rejects',
    settles: 'value',
    create: (later) =>
      thenable((resolve, reject) => {
        resolve(VALUE);
        reject(ERROR);
        later(() => reject(ERROR));
      }),
  },
  {
    what: 'rejects, then resolves',
    settles: 'error',
    create: (later) =>
      thenable((resolve, reject) => {
        reject(ERROR);
        later(() => resolve(VALUE));
      }),
  },
  {
    what: 'resolves, then throws',
    settles: 'value',
    create: () =>
      thenable((resolve) => {
        resolve(VALUE);
        throw ERROR;
      }),
  },
  {
    what: 'fulfils with a pending promise',
    settles: 'pending',
    create: () => thenable((resolve) => resolve(new Promise(() => {}))),
  },
  {
    what: 'fulfils with a promise that resolves later',
    settles: 'late',
    create: (later) =>
      thenable((resolve) => resolve(new Promise((done) => later(() => done(VALUE))))),
  },
  {
    what: 'fulfils with a thenable that rejects',
    settles: 'error',
    create: () => thenable((resolve) => resolve(thenable((_, reject) => reject(ERROR)))),
  },
  {
    what: 'never calls back',
    settles: 'pending',
    create: () => thenable(() => {}),
  },
  {
    what: 'is a subclass of Promise that calls back twice',
    settles: 'value',
    create: () => CountingPromise.resolve(VALUE),
  },
  {
    what: 'is a proxy of a promise',
    settles: 'error',
    create: () => new Proxy(Promise.resolve(VALUE), {}),
  },
  {
    what: 'is a revoked proxy',
    settles: 'error',
    create: () => {
      const { proxy, revoke } = Proxy.revocable(Promise.resolve(VALUE), {});
      revoke();
      return proxy;
    },
  },
  {
    what: 'is a native promise whose constructor throws when it is read',
    settles: 'error',
    create: () =>
      Object.defineProperty(Promise.resolve(VALUE), 'constructor', {
        get: () => {
          throw ERROR;
        },
      }),
  },
  {
    what: 'is a native promise with a then of its own',
    settles: 'value',
    create: () =>
      Object.assign(Promise.resolve(VALUE), {
        // biome-ignore lint/suspicious/noThenProperty: calls back at once, and returns no promise
        then: (resolve: Settle) => void resolve(VALUE),
      }) as never,
  },
  {
    what: 'is a frozen promise',
    settles: 'value',
    create: () => Object.freeze(Promise.resolve(VALUE)),
  },
  {
    what: 'is a promise of another realm',
    settles: 'value',
    create: () => runInNewContext('Promise.resolve(value)', { value: VALUE }),
  },
  {
    what: 'fulfils with a thenable that never calls back',
    settles: 'pending',
    create: () => thenable((resolve) => resolve(thenable(() => {}))),
  },
  {
    what: 'calls back later, twice, and throws at once',
    settles: 'error',
    create: (later) =>
      thenable((resolve) => {
        later(() => resolve(VALUE));
        later(() => resolve('again'));
        throw ERROR;
      }),
  },
  {
    what: 'is a function with a then',
    settles: 'value',
    create: () =>
      Object.assign(
        () => {},
        thenable((resolve) => resolve(VALUE)),
      ) as never,
  },
];
