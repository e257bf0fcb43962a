import type { RateLimitStore } from '../src/shared/index.ts';

/** A store in front of another one that fails or holds its answers back when told to. */
export class FaultyStore implements RateLimitStore {
  readonly #store: RateLimitStore;
  /** The methods that were called. */
  readonly calls: string[] = [];
  #failure: Error | undefined;
  #held: PromiseWithResolvers<void> | undefined;

  constructor(store: RateLimitStore) {
    this.#store = store;
  }

  fail(error: Error = new Error('The store is unavailable.')): void {
    this.#failure = error;
  }

  recover(): void {
    this.#failure = undefined;
  }

  hold(): void {
    this.#held = Promise.withResolvers();
  }

  resume(): void {
    this.#held?.resolve();
    this.#held = undefined;
  }

  async #call<T>(name: string, ask: () => Promise<T>): Promise<T> {
    this.calls.push(name);
    await this.#held?.promise;
    if (this.#failure !== undefined) throw this.#failure;
    return ask();
  }

  take: RateLimitStore['take'] = (request) => this.#call('take', () => this.#store.take(request));
  giveBack: RateLimitStore['giveBack'] = (request) =>
    this.#call('giveBack', () => this.#store.giveBack(request));
  change: RateLimitStore['change'] = (request) =>
    this.#call('change', () => this.#store.change(request));
  takePermits: RateLimitStore['takePermits'] = (request) =>
    this.#call('takePermits', () => this.#store.takePermits(request));
  renewPermits: RateLimitStore['renewPermits'] = (request) =>
    this.#call('renewPermits', () => this.#store.renewPermits(request));
  returnPermits: RateLimitStore['returnPermits'] = (request) =>
    this.#call('returnPermits', () => this.#store.returnPermits(request));
  announce: RateLimitStore['announce'] = (request) =>
    this.#call('announce', () => this.#store.announce(request));
}
