import type { Decision } from '../limiter.ts';
import type { PermitRequest, PermitResult, TakeRequest, TakeResult } from './store.ts';

/** What one of the limits says to a call that asks several. */
export interface PartAnswer {
  /** Whether this limit has what the call asks for. It has a lease only if all have. */
  readonly fits: boolean;
  readonly decision: Decision;
  /** When to ask again, in milliseconds; `undefined` when unknown. */
  readonly askAgainMs: number | undefined;
  /** Gives everything back, for a call that will not use it. */
  undo(): void;
}

/** What a call asks of one limit in one step with others. Reading the answer makes its lease. */
export type StorePart =
  | {
      readonly kind: 'rate';
      readonly request: TakeRequest;
      answer(result: TakeResult): PartAnswer;
    }
  | {
      readonly kind: 'permits';
      readonly request: PermitRequest;
      answer(result: PermitResult): PartAnswer;
      /** The request has failed: it may have been carried out. */
      lost(): void;
    };
