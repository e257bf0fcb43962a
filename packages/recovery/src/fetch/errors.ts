import { type Classification, TemperError } from '@temper/core';

/**
 * The connection was given up while the request waited for it or for an answer, because another request on it was
 * aborted. What that one was aborted with is no business of this one.
 */
export class ConnectionLostError extends TemperError {
  constructor(policy: string) {
    super(
      `The connection of HTTP policy '${policy}' ended when another request on it was aborted.`,
      { code: 'CONNECTION_LOST', policy },
    );
  }

  override get name(): string {
    return 'ConnectionLostError';
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
