import type { AuditEvent } from '../chain/event.ts';
import { parseLine } from '../chain/hash-chain.ts';
import type { AuditLog } from '../log/audit-log.ts';

/** A search for one event. */
interface Search {
  readonly id: string;
  /** The event, if it is stored, has a greater sequence. */
  readonly after: number;
  readonly resolve: (event: AuditEvent | undefined) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Finds out whether events that clients send again are in the log. One search at a time reads the log, for all
 * events that are asked for by then: after a restart all clients ask at once.
 */
export class StoredEvents {
  readonly #log: AuditLog;
  #waiting: Search[] = [];
  #running = false;

  constructor(log: AuditLog) {
    this.#log = log;
  }

  /**
   * The event with this id, if the log has stored it; it is durable then.
   *
   * @throws {AuditUnavailableError} if the log cannot tell
   */
  find(id: string, after: number): Promise<AuditEvent | undefined> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ id, after, resolve, reject });
      if (!this.#running) void this.#run();
    });
  }

  async #run(): Promise<void> {
    this.#running = true;
    while (this.#waiting.length > 0) {
      const searches = this.#waiting;
      this.#waiting = [];
      try {
        // What was accepted before, and refused to a caller, can have been stored since, or never will be.
        await this.#log.ready();
        const found = await this.#search(searches);
        for (const { id, resolve } of searches) resolve(found.get(id));
      } catch (error) {
        for (const { reject } of searches) reject(error);
      }
    }
    this.#running = false;
  }

  async #search(searches: readonly Search[]): Promise<ReadonlyMap<string, AuditEvent>> {
    const missing = new Set(searches.map(({ id }) => id));
    const found = new Map<string, AuditEvent>();
    const from = Math.min(...searches.map(({ after }) => after)) + 1;
    for await (const lines of this.#log.source.read({ from })) {
      for (const line of lines) {
        const event = eventOf(line);
        if (event !== undefined && missing.delete(event.id)) found.set(event.id, event);
      }
      if (missing.size === 0) break;
    }
    return found;
  }
}

/** The event of a line; undefined for what somebody else has put there. */
function eventOf(line: string): AuditEvent | undefined {
  try {
    return parseLine(line);
  } catch {
    return undefined;
  }
}
