/** What happened to the requests of a load. Nothing is retried and nothing is forgiven. */
export class Tally {
  /** Requests of which at least one byte was sent, or whose connection was accepted. */
  sent = 0;
  /** Requests that received their complete and correct answer. */
  answered = 0;
  /** Connections that were refused: the client knows that its request was not sent. */
  refused = 0;
  /** Why each of the other requests was not answered. */
  readonly lost: string[] = [];

  /** Requests without an answer yet. */
  get inFlight(): number {
    return this.sent - this.answered - this.lost.length;
  }

  /** Counts a connection that could not be opened. */
  notOpened(error: unknown): void {
    if ((error as NodeJS.ErrnoException).code === 'ECONNREFUSED') {
      this.refused++;
      return;
    }
    // The kernel had accepted it, or a handshake had begun.
    this.sent++;
    this.lose(error, 'new');
  }

  /** Counts a request as lost. */
  lose(error: unknown, connection: 'new' | 'used'): void {
    const { code, message } = error as NodeJS.ErrnoException;
    this.lost.push(`${code ?? message} on a ${connection} connection`);
  }
}

/** The open load of one run. */
export interface Load {
  /** Ends every worker after its request. */
  stop(): void;
  /** Resolves when no worker is left. */
  readonly done: Promise<unknown>;
}

/** Options of a load. */
export interface LoadOptions {
  readonly port: number;
  readonly tally: Tally;
  /** Connections, or streams of HTTP/2. About 85 % of them have a request in flight at any time. */
  readonly workers: number;
  /**
   * What a client does that was told that the server closes its connection: `go` stays away, as one
   * whose balancer has noticed; `reconnect` opens another one until it is refused.
   */
  readonly whenTold: 'go' | 'reconnect';
}

/** Longest pause of a client between an answer and its next request, in milliseconds. */
export const PAUSE_MS = 50;
