/** The language server did not answer in time; the request was cancelled. */
export class LspTimeoutError extends Error {
  override readonly name = 'LspTimeoutError';
  readonly code = 'ERR_PARSERCRAFT_LSP_TIMEOUT';
  readonly method: string;
  readonly timeoutMs: number;

  constructor(method: string, timeoutMs: number) {
    super(`The language server did not answer ${method} within ${timeoutMs} ms.`);
    this.method = method;
    this.timeoutMs = timeoutMs;
  }
}

/** The server's process ended while it had a request. */
export class LspExitError extends Error {
  override readonly name = 'LspExitError';
  readonly code = 'ERR_PARSERCRAFT_LSP_EXIT';
  readonly exitCode: number | null;
  readonly signal: NodeJS.Signals | null;

  constructor(
    exit: { readonly exitCode: number | null; readonly signal: NodeJS.Signals | null },
    lastLines: readonly string[],
  ) {
    const how = exit.signal === null ? `with code ${exit.exitCode}` : `by ${exit.signal}`;
    const log = lastLines.length === 0 ? '' : `\n${lastLines.join('\n')}`;
    super(`The language server ended ${how}.${log}`);
    this.exitCode = exit.exitCode;
    this.signal = exit.signal;
  }
}

/** The server died too often; it is started again by the first request after `retryAfterMs`. */
export class LspUnavailableError extends Error {
  override readonly name = 'LspUnavailableError';
  readonly code = 'ERR_PARSERCRAFT_LSP_UNAVAILABLE';
  readonly retryAfterMs: number;

  constructor(restarts: number, windowMs: number, retryAfterMs: number) {
    super(
      `The language server died ${restarts} times within ${windowMs} ms; the next start is allowed in ${retryAfterMs} ms.`,
    );
    this.retryAfterMs = retryAfterMs;
  }
}

/** The client was closed. */
export class LspClosedError extends Error {
  override readonly name = 'LspClosedError';
  readonly code = 'ERR_PARSERCRAFT_LSP_CLOSED';

  constructor() {
    super('The language server was closed.');
  }
}

/** The server refused a request, for instance because its document is not open. */
export class LspRequestError extends Error {
  override readonly name = 'LspRequestError';
  readonly code = 'ERR_PARSERCRAFT_LSP_REQUEST';
  readonly method: string;
  /** The code of the JSON-RPC error, -32602 for invalid parameters. */
  readonly rpcCode: number;
  /** Whether what was asked was invalid, rather than the server broken. */
  readonly isInvalid: boolean;

  constructor(method: string, rpcCode: number, message: string, options?: ErrorOptions) {
    super(`${method}: ${message}`, options);
    this.method = method;
    this.rpcCode = rpcCode;
    this.isInvalid = [-32600, -32601, -32602].includes(rpcCode);
  }
}
