import { type Classification, TemperError } from '@temper/core';

/**
 * The connection was given up while the request waited for it or for an answer, because another request on it was
 * aborted. What that one was aborted with is no business of this one.
 */
export class ConnectionLostError extends TemperError {
  /** @param when - in words that follow "ended" */
  constructor(policy: string, when = 'when another request on it was aborted') {
    super(`The connection of HTTP policy '${policy}' ended ${when}.`, {
      code: 'CONNECTION_LOST',
      policy,
    });
  }

  override get name(): string {
    return 'ConnectionLostError';
  }

  override get classification(): Classification {
    return { category: 'network', severity: 'medium', transient: true };
  }
}

/** A body has ended before the length that its response had announced. */
export class TruncatedBodyError extends TemperError {
  /** Length of what has come, in bytes. */
  readonly received: number;
  /** The `Content-Length` of the response, in bytes. */
  readonly announced: number;

  constructor(policy: string, received: number, announced: number) {
    super(
      `A body for HTTP policy '${policy}' ended after ${received} of the ${announced} bytes that were announced.`,
      { code: 'BODY_TRUNCATED', policy },
    );
    this.received = received;
    this.announced = announced;
  }

  override get name(): string {
    return 'TruncatedBodyError';
  }

  override get classification(): Classification {
    return { category: 'network', severity: 'medium', transient: true };
  }
}

/** As many requests are in flight as are allowed; this one was not sent. */
export class TooManyInFlightError extends TemperError {
  /** Most requests in flight at one time. */
  readonly limit: number;

  /** @param option - the limit that was reached */
  constructor(
    policy: string,
    limit: number,
    option: 'maxInFlight' | 'maxInFlightPerOrigin' = 'maxInFlight',
  ) {
    super(
      `HTTP policy '${policy}' has ${limit} requests in flight, its ${option}; this one was not sent.`,
      { code: 'TOO_MANY_IN_FLIGHT', policy },
    );
    this.limit = limit;
  }

  override get name(): string {
    return 'TooManyInFlightError';
  }

  override get refused(): boolean {
    return true;
  }

  override get classification(): Classification {
    return { category: 'resource', severity: 'medium', transient: true };
  }
}
