import type { DispatchController } from './dispatch-types.ts';

/**
 * The controller that a request's handler holds on to, whichever attempt is under way: what the
 * handler says goes to the attempt whose response it gets.
 */
export class RelayController implements DispatchController {
  readonly #onAbort: (reason: Error) => void;
  #target: DispatchController | undefined;
  #paused = false;
  #reason: Error | null = null;

  /** @param onAbort - the handler has given up on the request */
  constructor(onAbort: (reason: Error) => void) {
    this.#onAbort = onAbort;
  }

  /** From now on this is the attempt whose response the handler gets. */
  attach(target: DispatchController): void {
    this.#target = target;
  }

  get aborted(): boolean {
    return this.#reason !== null || (this.#target?.aborted ?? false);
  }

  get paused(): boolean {
    return this.#paused;
  }

  get reason(): Error | null {
    return this.#reason ?? this.#target?.reason ?? null;
  }

  get rawHeaders(): unknown {
    return (this.#target as { rawHeaders?: unknown } | undefined)?.rawHeaders ?? null;
  }

  get rawTrailers(): unknown {
    return (this.#target as { rawTrailers?: unknown } | undefined)?.rawTrailers ?? null;
  }

  abort(reason: Error): void {
    if (this.aborted) return;
    this.#reason = reason;
    if (this.#target === undefined) this.#onAbort(reason);
    else this.#target.abort(reason);
  }

  pause(): void {
    this.#paused = true;
    this.#target?.pause();
  }

  resume(): void {
    this.#paused = false;
    this.#target?.resume();
  }
}
