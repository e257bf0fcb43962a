/**
 * Minimal inline code for retry + breaker + timeout: three attempts with exponential delays, a circuit
 * that opens for one minute after five consecutive failures, and a timeout that aborts.
 */
type Work = (signal: AbortSignal) => Promise<unknown>;
type Run = (work: Work) => Promise<unknown>;

const MAX_ATTEMPTS = 3;
const THRESHOLD = 5;
const OPEN_MS = 60_000;

const wait = (attempt: number): Promise<void> =>
  new Promise((resolve) => setTimeout(resolve, 100 * 2 ** (attempt - 1)));

/** One function with a timer and an abort controller per attempt. */
export function fused(timeoutMs: number): Run {
  let failures = 0;
  let openUntil = 0;
  return async (work) => {
    for (let attempt = 1; ; attempt++) {
      if (openUntil !== 0 && performance.now() < openUntil) throw new Error('The circuit is open.');
      const controller = new AbortController();
      let timer: NodeJS.Timeout | undefined;
      try {
        const value = await new Promise((resolve, reject) => {
          timer = setTimeout(() => {
            const error = new Error('It took too long.');
            controller.abort(error);
            reject(error);
          }, timeoutMs);
          work(controller.signal).then(resolve, reject);
        });
        clearTimeout(timer);
        failures = 0;
        openUntil = 0;
        return value;
      } catch (error) {
        clearTimeout(timer);
        if (++failures >= THRESHOLD) openUntil = performance.now() + OPEN_MS;
        if (attempt >= MAX_ATTEMPTS) throw error;
        await wait(attempt);
      }
    }
  };
}

/** What an operation is called with: its signal is made when somebody reads it. */
class Attempt {
  readonly at: number;
  readonly #reject: (error: Error) => void;
  live = true;
  #controller: AbortController | undefined;
  #reason: unknown;

  constructor(at: number, reject: (error: Error) => void) {
    this.at = at;
    this.#reject = reject;
    this.#controller = undefined;
    this.#reason = undefined;
  }

  get signal(): AbortSignal {
    this.#controller ??= new AbortController();
    if (this.#reason !== undefined) this.#controller.abort(this.#reason);
    return this.#controller.signal;
  }

  expire(): void {
    const error = new Error('It took too long.');
    this.#reason = error;
    this.#controller?.abort(error);
    this.#reject(error);
  }
}

/** The same with one timer for all attempts, and an abort controller where the signal is read. */
export function fusedWithSharedTimer(
  timeoutMs: number,
): (work: (attempt: Attempt) => Promise<unknown>) => Promise<unknown> {
  let failures = 0;
  let openUntil = 0;
  const queue: Attempt[] = [];
  let head = 0;
  let timer: NodeJS.Timeout | undefined;
  const sweep = (): void => {
    timer = undefined;
    const now = performance.now();
    while (head < queue.length && (!queue[head]!.live || queue[head]!.at <= now)) {
      if (queue[head]!.live) queue[head]!.expire();
      head++;
    }
    queue.splice(0, head);
    head = 0;
    if (queue.length > 0) timer = setTimeout(sweep, queue[0]!.at - now);
  };
  return async (work) => {
    for (let attempt = 1; ; attempt++) {
      if (openUntil !== 0 && performance.now() < openUntil) throw new Error('The circuit is open.');
      let expiry: Attempt | undefined;
      try {
        const value = await new Promise((resolve, reject) => {
          expiry = new Attempt(performance.now() + timeoutMs, reject);
          while (head < queue.length && !queue[head]!.live) head++;
          if (head > 0 && head === queue.length) {
            queue.length = 0;
            head = 0;
          }
          queue.push(expiry);
          if (timer === undefined) timer = setTimeout(sweep, timeoutMs).unref();
          work(expiry).then(resolve, reject);
        });
        if (expiry !== undefined) expiry.live = false;
        failures = 0;
        openUntil = 0;
        return value;
      } catch (error) {
        if (expiry !== undefined) expiry.live = false;
        if (++failures >= THRESHOLD) openUntil = performance.now() + OPEN_MS;
        if (attempt >= MAX_ATTEMPTS) throw error;
        await wait(attempt);
      }
    }
  };
}

/** The same as three nested functions, as commonly written by hand. */
export function naive(timeoutMs: number): Run {
  let failures = 0;
  let openUntil = 0;
  const timed: Run = (work) => {
    const controller = new AbortController();
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise((_, reject) => {
      timer = setTimeout(() => {
        const error = new Error('It took too long.');
        controller.abort(error);
        reject(error);
      }, timeoutMs);
    });
    return Promise.race([work(controller.signal), late]).finally(() => clearTimeout(timer));
  };
  const guarded: Run = async (work) => {
    if (openUntil !== 0 && performance.now() < openUntil) throw new Error('The circuit is open.');
    try {
      const value = await timed(work);
      failures = 0;
      openUntil = 0;
      return value;
    } catch (error) {
      if (++failures >= THRESHOLD) openUntil = performance.now() + OPEN_MS;
      throw error;
    }
  };
  return async (work) => {
    for (let attempt = 1; ; attempt++) {
      try {
        return await guarded(work);
      } catch (error) {
        if (attempt >= MAX_ATTEMPTS) throw error;
        await wait(attempt);
      }
    }
  };
}
