import { type Classification, TemperError } from '@temper/core';

/** The store of a shared circuit answered with something that is no answer; the circuit decides alone. */
export class StoreReplyError extends TemperError {
  /** Which question it answered. */
  readonly method: 'report' | 'takeTrial' | 'endTrial';

  constructor(
    policy: string,
    method: 'report' | 'takeTrial' | 'endTrial',
    reason: string,
    cause?: unknown,
  ) {
    super(`The store of circuit '${policy}' gave no valid reply to ${method}(): ${reason}`, {
      code: 'STORE_REPLY_INVALID',
      policy,
      cause,
    });
    this.method = method;
  }

  override get name(): string {
    return 'StoreReplyError';
  }

  override get classification(): Classification {
    return { category: 'internal', severity: 'high', transient: false };
  }
}
