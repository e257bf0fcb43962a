import type { DispatchController } from './dispatch-types.ts';
import { noteAbort } from './foreign-aborts.ts';

/**
 * The controller that a request's handler keeps through all attempts. Its commands go to the attempt
 * whose response the handler gets.
 */
export class RelayController implements DispatchController {
  readonly #onAbort: (reason: Error) => void;
  /** Called when the handler pauses or resumes. */
  onFlow: ((flows: boolean) => void) | undefined;
  #target: DispatchController | undefined;
  #paused = false;
  #reason: Error | null = null;

  /** @param onAbort - called when the handler aborts the request before there is a response */
  constructor(onAbort: (reason: Error) => void) {
    this.#onAbort = onAbort;
  }

  /** Sets the connection of the attempt whose response the handler gets; `undefined`: it has broken. */
  attach(target: DispatchController | undefined): void {
    this.#target = target;
  }

  get abortedByHandler(): boolean {
    return this.#reason !== null;
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
    noteAbort(reason);
    if (this.#target === undefined) this.#onAbort(reason);
    else this.#target.abort(reason);
  }

  pause(): void {
    this.#paused = true;
    this.onFlow?.(false);
    this.#target?.pause();
  }

  resume(): void {
    this.#paused = false;
    this.onFlow?.(true);
    this.#target?.resume();
  }
}
