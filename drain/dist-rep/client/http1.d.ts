import { Connection } from './connection.ts';
import { type Load, type LoadOptions } from './tally.ts';
/** A kind of HTTP/1 request. */
export interface Exchange {
    /** Sends it. */
    send(connection: Connection): unknown;
    /** How many requests it sends together. */
    readonly requests: number;
    /** Whether a response is complete and correct. */
    isRight(body: string): boolean;
}
/** Every kind of HTTP/1 request, by its name in the table. */
export declare const EXCHANGES: Readonly<Record<'work' | 'poll' | 'events' | 'upload' | 'pipelined', Exchange>>;
/** Clients that each send one request, or one batch, after the other over a keep-alive connection. */
export declare function http1Load(options: LoadOptions, exchange: Exchange, secure: boolean): Load;
//# sourceMappingURL=http1.d.ts.map