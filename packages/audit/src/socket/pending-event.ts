import type { TimeoutEntry } from '@temper/core/policy';
import type { AuditEvent } from '../chain/event.ts';

/**
 * `append`: a caller waits for it. `record`: it counts towards `queueLimit`. `held`: its caller was told that it
 * is stored later. `losses`: the client's own report. `ready`: no event.
 */
export type PendingKind = 'append' | 'record' | 'held' | 'losses' | 'ready';

/** A request that is not answered yet. */
export class PendingEvent {
  kind: PendingKind;
  /** The request without its beginning; empty for `ready`. */
  readonly body: string;
  /** Settle the caller's promise, `ready` with the server's report. */
  readonly resolve: ((value: never) => void) | undefined;
  readonly reject: ((error: unknown) => void) | undefined;
  /** Arrival on the monotonic clock; 0 while no metrics are collected. */
  readonly startedAt: number;
  /** Set when the event has been sent: it is in the log after this sequence, or not at all. */
  sentAfter: number | undefined;
  /** What a caller gets whose event is held. */
  readonly placeholder: (() => AuditEvent) | undefined;
  /** When its caller stops waiting. */
  deadline: TimeoutEntry | undefined;
  /** When the connection that it was sent over counts as dead. */
  answerBy: TimeoutEntry | undefined;
  /** Whether it is settled and will not be sent again. */
  over = false;

  constructor(
    kind: PendingKind,
    body: string,
    startedAt: number,
    resolve?: (value: never) => void,
    reject?: (error: unknown) => void,
    placeholder?: () => AuditEvent,
  ) {
    this.kind = kind;
    this.body = body;
    this.startedAt = startedAt;
    this.resolve = resolve;
    this.reject = reject;
    this.placeholder = placeholder;
  }

  /** Whether somebody waits for the answer. */
  get awaited(): boolean {
    return this.kind === 'append' || this.kind === 'ready';
  }
}
