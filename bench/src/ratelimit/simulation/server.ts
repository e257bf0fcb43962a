import { type EventLoop, exponential } from './events.ts';

/** What the server can do at a time. */
export interface Capacity {
  readonly workers: number;
  /** Mean time that one worker spends on one request, in milliseconds. */
  readonly serviceMs: number;
}

/** How a server queues. */
export interface ServerOptions {
  /** Most requests that wait; the rest are turned away. */
  readonly maxQueue: number;
  /** What turning one away costs a worker, as a share of serving it. */
  readonly refusalCost: number;
}

type Answer = (served: boolean) => void;

/**
 * Workers behind a queue, first come, first served. It does not know which callers have given up in the
 * meantime, and works for them all the same; turning requests away is work too.
 */
export class Server {
  readonly #loop: EventLoop;
  readonly #random: () => number;
  readonly #options: ServerOptions;
  #capacity: Capacity;
  #busy = 0;
  readonly #waiting = new Fifo<Answer>();
  /** To be turned away as soon as a worker is free: they come before those that wait. */
  readonly #refusals = new Fifo<Answer>();

  constructor(loop: EventLoop, capacity: Capacity, options: ServerOptions, random: () => number) {
    this.#loop = loop;
    this.#capacity = capacity;
    this.#options = options;
    this.#random = random;
  }

  /** Requests per second that it can serve. */
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
    this.#loop.at(this.#loop.now + exponential(meanMs, this.#random), () => {
      this.#busy--;
      answer(served);
      this.#work();
    });
  }
}

/** A queue whose front costs nothing to take off, and leaves nothing behind. */
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
