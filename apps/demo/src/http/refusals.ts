import type { AuditLog } from '@temper/audit';

/** How long the refusals of one client are added up before they are an event, in milliseconds. */
const WINDOW_MS = 5_000;
/** Clients that are told apart within one window. The others are one event together. */
const MAX_CLIENTS = 1_000;
const OTHERS = '(other clients)';

interface Refused {
  readonly limiter: string;
  count: number;
}

/**
 * Records refused requests in the audit log: one event per client and window with their number, because
 * an event per request would let an abuser fill the log.
 */
export class RefusalLog implements Disposable {
  readonly #log: Pick<AuditLog, 'record'>;
  readonly #clients = new Map<string, Refused>();
  #timer: NodeJS.Timeout | undefined;

  constructor(log: Pick<AuditLog, 'record'>) {
    this.#log = log;
  }

  add(limiter: string, client: string): void {
    const key = this.#clients.has(client) || this.#clients.size < MAX_CLIENTS ? client : OTHERS;
    const refused = this.#clients.get(key);
    if (refused === undefined) this.#clients.set(key, { limiter, count: 1 });
    else refused.count += 1;
    this.#timer ??= setTimeout(() => this.#write(), WINDOW_MS).unref();
  }

  #write(): void {
    this.#timer = undefined;
    for (const [actor, { limiter, count }] of this.#clients) {
      this.#log.record({
        eventType: 'access',
        action: 'refuse_requests',
        resource: limiter,
        status: 'rejected',
        actor,
        details: { requests: count, windowMs: WINDOW_MS },
      });
    }
    this.#clients.clear();
  }

  /** Writes what is left. */
  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
    this.#write();
  }
}
