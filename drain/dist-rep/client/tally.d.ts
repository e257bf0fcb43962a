import { type Line, type Phase } from './line.ts';
/** A request that was not answered. Times are in milliseconds since the epoch. */
export interface Loss {
    /** Code or message of the error, and whether it is the first request of its connection. */
    readonly reason: string;
    readonly code: string | undefined;
    readonly phase: Phase;
    /** The port of the client. */
    readonly port: number | undefined;
    readonly connectedAt: number | undefined;
    readonly lostAt: number;
    /** Bytes that the client had received on the connection. */
    readonly received: number;
}
/** What happened to the requests of a load. Nothing is retried and nothing is forgiven. */
export declare class Tally {
    /** Requests of which at least one byte was sent, or whose connection was accepted. */
    sent: number;
    /** Requests that received their complete and correct answer. */
    answered: number;
    /** Connections that were refused: the client knows that its request was not sent. */
    refused: number;
    /** The other requests. */
    readonly lost: Loss[];
    /** Requests without an answer yet. */
    get inFlight(): number;
    /** Counts a connection that could not be opened. */
    notOpened(error: unknown, line: Line): void;
    /** Counts a request as lost. */
    lose(error: unknown, connection: 'new' | 'used', line: Line): void;
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
export declare const PAUSE_MS = 50;
//# sourceMappingURL=tally.d.ts.map