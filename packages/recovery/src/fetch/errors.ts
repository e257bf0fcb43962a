import { type Classification, TemperError } from '@temper/core';

/** As many requests are under way as are allowed; this one was not sent. */
export class TooManyInFlightError extends TemperError {
  /** Most requests under way at one time. */
  readonly limit: number;

  constructor(policy: string, limit: number) {
    super(
      `'${policy}' has ${limit} requests under way, which is its limit; this one was not sent.`,
      {
        code: 'TOO_MANY_IN_FLIGHT',
        policy,
      },
    );
    this.limit = limit;
  }

  override get name(): string {
    return 'TooManyInFlightError';
  }

  override get classification(): Classification {
    return { category: 'resource', severity: 'medium', transient: true };
  }
}
