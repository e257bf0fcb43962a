/** The language server did not respond in time. The request was cancelled. */
export class LspTimeoutError extends Error {
  override readonly name = 'LspTimeoutError';
  readonly code = 'ERR_PARSERCRAFT_LSP_TIMEOUT';
  readonly method: string;
  readonly timeoutMs: number;

  constructor(method: string, timeoutMs: number) {
    super(`The language server did not respond to ${method} within ${timeoutMs} ms.`);
    this.method = method;
    this.timeoutMs = timeoutMs;
  }
}

interface Exit {
  readonly exitCode: number | null;
  readonly signal: NodeJS.Signals | null;
}

function inWords({ exitCode, signal }: Exit): string {
  return signal === null ? `with code ${exitCode}` : `on ${signal}`;
}

/** The server process exited during a request. */
export class LspExitError extends Error {
  override readonly name = 'LspExitError';
  readonly code = 'ERR_PARSERCRAFT_LSP_EXIT';
  readonly exitCode: number | null;
  readonly signal: NodeJS.Signals | null;

  /** @param reason - why this process killed it */
  constructor(exit: Exit, lastLines: readonly string[], reason?: string) {
    const log = lastLines.length === 0 ? '' : `\n${lastLines.join('\n')}`;
    const why = reason === undefined ? '' : `: ${reason}`;
    super(`The language server exited ${inWords(exit)}${why}.${log}`);
    this.exitCode = exit.exitCode;
    this.signal = exit.signal;
  }
}

/** The server exited too often. The first request after `retryAfterMs` restarts it. */
export class LspUnavailableError extends Error {
  override readonly name = 'LspUnavailableError';
  readonly code = 'ERR_PARSERCRAFT_LSP_UNAVAILABLE';
  readonly retryAfterMs: number;

  /** @param last - the last exit, where it is known */
  constructor(restarts: number, windowMs: number, retryAfterMs: number, last: Exit | undefined) {
    const how = last === undefined ? '' : `, the last time ${inWords(last)}`;
    super(
      `The language server exited ${restarts} times within ${windowMs} ms${how}; it can be restarted in ${retryAfterMs} ms.`,
    );
    this.retryAfterMs = retryAfterMs;
  }
}

/** The client is closed. */
export class LspClosedError extends Error {
  override readonly name = 'LspClosedError';
  readonly code = 'ERR_PARSERCRAFT_LSP_CLOSED';

  constructor() {
    super('The language server client is closed.');
  }
}

/** The server rejected a request, for example because the document is not open. */
export class LspRequestError extends Error {
  override readonly name = 'LspRequestError';
  readonly code = 'ERR_PARSERCRAFT_LSP_REQUEST';
  readonly method: string;
  /** JSON-RPC error code, for example -32602 for invalid parameters. */
  readonly rpcCode: number;
  /** Whether the request was invalid, as opposed to a failure of the server. */
  readonly isInvalid: boolean;

  constructor(method: string, rpcCode: number, message: string, options?: ErrorOptions) {
    super(`${method}: ${message}`, options);
    this.method = method;
    this.rpcCode = rpcCode;
    this.isInvalid = [-32600, -32601, -32602].includes(rpcCode);
  }
}
