import { listenForAbort, stopListening } from '../abort-listener.ts';
import { inCurrentContext } from '../async-context.ts';
import type { CallContext, Operation } from '../contract.ts';
import { TemperError } from '../errors.ts';
import { show } from '../options.ts';
import { processState } from '../process-state.ts';
import { type Call, isCall } from './context.ts';

/** What an async generator function returns. */
type Create<T, R, N> = (call: CallContext) => AsyncGenerator<T, R, N>;

/** Whether `fn` is written `async function*`, in whatever realm. */
export function isGeneratorFunction(fn: unknown): fn is Create<unknown, unknown, unknown> {
  return (
    typeof fn === 'function' &&
    (fn as { readonly [Symbol.toStringTag]?: string })[Symbol.toStringTag] ===
      'AsyncGeneratorFunction'
  );
}

/** The tag of the operation of an iteration; those of functions in the language are other ones. */
const ITERATION = 'TemperIteration';

/** Whether `operation` is that of an iteration. */
export function isIterationOperation(operation: unknown): boolean {
  return (
    (operation as { readonly [Symbol.toStringTag]?: string })[Symbol.toStringTag] === ITERATION
  );
}

/** Whether calls are iterations, of those that are known not to be like the calls around them. */
const iterations: () => WeakMap<Call, boolean> = /* @__PURE__ */ processState(
  'call.iterations.1',
  () => new WeakMap(),
);

/** A call begins, as an iteration or not. */
export function noteIteration(call: Call, isOne: boolean): void {
  iterations().set(call, isOne);
}

/** Whether a call is that of an async generator: it has items, and no value that could be kept or shared. */
export function isIteration(call: Call): boolean {
  for (let each: Call | undefined = call; each !== undefined; each = each.outer) {
    const known = iterations().get(each);
    if (known !== undefined) return known;
  }
  return false;
}

/** The calls whose first item has been delivered, with the calls around them. */
const committed: () => WeakSet<Call> = /* @__PURE__ */ processState(
  'iterations.1',
  () => new WeakSet(),
);

/**
 * Whether the caller has got the first item of this attempt, so that another attempt would repeat what
 * the caller has seen: such an attempt is neither retried nor replaced.
 */
export function isCommitted(attempt: Call): boolean {
  return committed().has(attempt);
}

function commit(call: CallContext): void {
  for (let each = isCall(call) ? call : undefined; each !== undefined; each = each.outer) {
    committed().add(each);
  }
}

/** An attempt that came too late: a refusal, as it says nothing about the dependency. */
class ItemsTakenError extends TemperError {
  constructor() {
    super('Another attempt delivers the items of this iteration.', {
      code: 'ITEMS_TAKEN',
      policy: 'iteration',
    });
  }

  override get refused(): boolean {
    return true;
  }
}

/** The attempt whose items are delivered. */
class Delivery<T, R, N> {
  readonly iterator: AsyncGenerator<T, R, N>;
  readonly first: IteratorResult<T, R>;
  /** Settles when the iteration has ended; what the policies wait for. */
  readonly #finished: Promise<void>;
  readonly #inCallsContext: (work: () => void) => void = inCurrentContext();
  #complete: () => void = () => {};
  #fail: (error: unknown) => void = () => {};
  #over = false;
  #reject: (error: unknown) => void = () => {};
  #error: unknown;

  constructor(iterator: AsyncGenerator<T, R, N>, first: IteratorResult<T, R>) {
    this.iterator = iterator;
    this.first = first;
    this.#finished = new Promise((resolve, reject) => {
      this.#complete = resolve;
      this.#fail = reject;
    });
  }

  get over(): boolean {
    return this.#over;
  }

  /** Waits for the end of the iteration; an abort of the call ends it. */
  async finish(call: CallContext): Promise<void> {
    const { signal } = call;
    const onAbort = (): void => this.end(signal.reason);
    listenForAbort(signal, onAbort);
    try {
      await this.#finished;
    } finally {
      stopListening(signal, onAbort);
    }
  }

  /** Resumes the generator, in the asynchronous context of its call. */
  step(resume: () => Promise<IteratorResult<T, R>>): Promise<IteratorResult<T, R>> {
    return new Promise((resolve, reject) => {
      if (this.#over) {
        reject(this.#error);
        return;
      }
      this.#reject = reject;
      this.#inCallsContext(() => void resume().then(resolve, reject));
    });
  }

  /** The generator has returned. */
  complete(): void {
    this.#over = true;
    this.#complete();
  }

  /** The iteration ends early, or by an error of the generator, whose `finally` blocks run. */
  end(error: unknown): void {
    if (this.#over) return;
    this.#over = true;
    this.#error = error;
    this.#reject(error);
    this.#fail(error);
    close(this.iterator);
  }
}

/** Runs the `finally` blocks of a generator that nobody waits for any more. */
function close(iterator: AsyncGenerator<unknown, unknown, unknown>): void {
  iterator.return(undefined).catch(() => {});
}

/**
 * Runs an async generator under policies: one call, from the first `next()` to the end of the
 * iteration. See docs/adr/0012-iterations.md.
 *
 * @param execute - makes the call
 * @param create - makes the generator of one attempt
 */
export async function* guardIteration<T, R, N>(
  execute: (operation: Operation<unknown>) => Promise<unknown>,
  create: Create<T, R, N>,
): AsyncGenerator<T, R, N> {
  let open: (delivery: Delivery<T, R, N> | undefined) => void = () => {};
  let failToOpen: (error: unknown) => void = () => {};
  const opened = new Promise<Delivery<T, R, N> | undefined>((resolve, reject) => {
    open = resolve;
    failToOpen = reject;
  });
  let delivery: Delivery<T, R, N> | undefined;
  let ended = false;
  const operation: Operation<unknown> = async (call) => {
    if (delivery !== undefined) throw new ItemsTakenError();
    const iterator = create(call);
    const first = await iterator.next();
    if (delivery !== undefined || ended || call.endedBy !== undefined) {
      close(iterator);
      throw call.endedBy === undefined ? new ItemsTakenError() : call.signal.reason;
    }
    delivery = new Delivery(iterator, first);
    commit(call);
    open(delivery);
    await delivery.finish(call);
  };
  Object.defineProperty(operation, Symbol.toStringTag, { value: ITERATION });
  const execution = execute(operation);
  const onEnd = (error: unknown): void => {
    ended = true;
    delivery?.end(error);
  };
  execution.then(
    () => {
      onEnd(undefined);
      open(undefined);
    },
    (error: unknown) => {
      onEnd(error);
      failToOpen(error);
    },
  );

  const delivered = await opened;
  if (delivered === undefined) return (yield* itemsOf(await execution)) as R;
  const { iterator } = delivered;
  /** What the consumer has thrown into the generator: an error, or this delivery, which is none. */
  let thrownIn: unknown = delivered;
  try {
    let step = delivered.first;
    while (step.done !== true) {
      let sent: N;
      try {
        sent = yield step.value;
      } catch (error) {
        thrownIn = error;
        step = await delivered.step(() => iterator.throw(error));
        continue;
      }
      step = await delivered.step(() => iterator.next(sent));
    }
    delivered.complete();
    await execution;
    return step.value;
  } catch (error) {
    // The consumer has left with an error of its own, as a stream does that is destroyed.
    if (error === thrownIn) delivered.complete();
    else delivered.end(error);
    await execution.catch(() => {});
    throw error;
  } finally {
    if (!delivered.over) await leave(delivered, execution);
  }
}

/** The consumer has left the loop: the generator's `finally` blocks run, and the call is over. */
async function leave<T, R, N>(
  delivered: Delivery<T, R, N>,
  execution: Promise<unknown>,
): Promise<void> {
  try {
    await delivered.step(() => delivered.iterator.return(undefined as R));
    delivered.complete();
  } catch (error) {
    delivered.end(error);
    throw error;
  } finally {
    await execution.catch(() => {});
  }
}

/** What a policy answered with in place of the generator, such as the value of a fallback. */
function itemsOf(answer: unknown): AsyncIterable<never> | Iterable<never> {
  if (typeof answer === 'object' && answer !== null) {
    if (Symbol.asyncIterator in answer || Symbol.iterator in answer) return answer as never;
  }
  throw new TypeError(
    `A policy answered a call of an async generator with ${show(answer)}, which is not iterable.`,
  );
}
