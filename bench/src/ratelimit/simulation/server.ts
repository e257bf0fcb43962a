import { type EventLoop, exponential } from './events.ts';

/** The capacity of the server. */
export interface Capacity {
  readonly workers: number;
  /** Mean time that one worker spends on one request, in milliseconds. */
  readonly serviceMs: number;
}

/** The queueing behaviour of the server. */
export interface ServerOptions {
  /** Maximum number of queued requests; further requests are rejected. */
  readonly maxQueue: number;
  /** Cost of a rejection as a share of the service time. */
  readonly refusalCost: number;
  /** Draws the time for one request of a mean, in milliseconds. By default it is exponential. */
  readonly draw?: (meanMs: number, random: () => number) => number;
}

/**
 * A Pareto distribution of a mean, with a coefficient of variation above two: one request of a hundred takes
 * five times the mean, one of a thousand 14 times.
 */
export function heavyTailed(meanMs: number, random: () => number): number {
  const shape = 2.1;
  return (meanMs * (shape - 1)) / shape / (1 - random()) ** (1 / shape);
}

type Answer = (served: boolean) => void;

/**
 * Workers behind a FIFO queue. The server also works for callers that have timed out, and rejections
 * take worker time.
 */
export class Server {
  readonly #loop: EventLoop;
  readonly #random: () => number;
  readonly #options: ServerOptions;
  #capacity: Capacity;
  #busy = 0;
  readonly #waiting = new Fifo<Answer>();
  /** Requests to reject, which are processed before queued requests. */
  readonly #refusals = new Fifo<Answer>();

  constructor(loop: EventLoop, capacity: Capacity, options: ServerOptions, random: () => number) {
    this.#loop = loop;
    this.#capacity = capacity;
    this.#options = options;
    this.#random = random;
  }

  /** Requests per second that the server can serve. */
  get throughput(): number {
    return (this.#capacity.workers / this.#capacity.serviceMs) * 1000;
  }

  set capacity(capacity: Capacity) {
    this.#capacity = capacity;
    this.#work();
  }

  get queued(): number {
    return this.#waiting.size;
  }

  request(answer: Answer): void {
    if (this.queued >= this.#options.maxQueue) this.#refusals.push(answer);
    else this.#waiting.push(answer);
    this.#work();
  }

  #work(): void {
    while (this.#busy < this.#capacity.workers) {
      const { serviceMs } = this.#capacity;
      const refused = this.#refusals.shift();
      const next = refused ?? this.#waiting.shift();
      if (next === undefined) return;
      const costMs = refused === undefined ? serviceMs : serviceMs * this.#options.refusalCost;
      this.#start(next, refused === undefined, costMs);
    }
  }

  #start(answer: Answer, served: boolean, meanMs: number): void {
    this.#busy++;
    this.#loop.at(
      this.#loop.now + (this.#options.draw ?? exponential)(meanMs, this.#random),
      () => {
        this.#busy--;
        answer(served);
        this.#work();
      },
    );
  }
}

/** A queue with amortised constant-time `shift`. */
class Fifo<T> {
  #items: T[] = [];
  #head = 0;

  get size(): number {
    return this.#items.length - this.#head;
  }

  push(item: T): void {
    this.#items.push(item);
  }

  shift(): T | undefined {
    const item = this.#items[this.#head];
    if (item === undefined) return undefined;
    this.#head++;
    if (this.#head > 1024 && this.#head * 2 > this.#items.length) {
      this.#items = this.#items.slice(this.#head);
      this.#head = 0;
    }
    return item;
  }
}
