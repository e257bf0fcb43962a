import { ErrorCodes, ResponseError } from 'vscode-languageserver';

/** The phase of a server, as the protocol specifies: what it answers before `initialize` and after `shutdown`. */
export class Lifecycle {
  #phase: 'new' | 'running' | 'shut down' = 'new';

  /** @throws {ResponseError} -32600 for a second `initialize`, and for one after `shutdown` */
  initialize(): void {
    if (this.#phase !== 'new') {
      throw new ResponseError(
        ErrorCodes.InvalidRequest,
        this.#phase === 'running'
          ? 'The server is initialized already.'
          : 'The server is shut down.',
      );
    }
    this.#phase = 'running';
  }

  /** `initialize` failed: the client may send another. */
  failed(): void {
    this.#phase = 'new';
  }

  /** @throws {ResponseError} as {@link check} */
  shutDown(): void {
    this.check();
    this.#phase = 'shut down';
  }

  /** @throws {ResponseError} -32002 before `initialize`, -32600 after `shutdown` */
  check(): void {
    if (this.#phase === 'new') {
      throw new ResponseError(
        ErrorCodes.ServerNotInitialized,
        'The first request must be initialize.',
      );
    }
    if (this.#phase === 'shut down') {
      throw new ResponseError(ErrorCodes.InvalidRequest, 'The server is shut down.');
    }
  }
}
