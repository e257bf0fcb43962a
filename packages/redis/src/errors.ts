import { type Classification, TemperError } from '@temper/core';
import { safeText } from '@temper/core/policy';

/** The client knows that its connection is down; nothing was sent. */
export class NotConnectedError extends TemperError {
  /**
   * @param store - the store's name
   * @param state - what the client says about its connection
   */
  constructor(store: string, state: string) {
    super(`Redis store '${store}' is not connected: the client is ${safeText(state, 60)}.`, {
      code: 'NOT_CONNECTED',
      policy: store,
    });
  }

  override get name(): string {
    return 'NotConnectedError';
  }

  override get classification(): Classification {
    return { category: 'network', severity: 'high', transient: true };
  }
}
