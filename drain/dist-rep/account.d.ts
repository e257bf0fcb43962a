import type { Loss } from './client/tally.ts';
import type { Server } from './frameworks/app.ts';
/** A connection that a service has accepted. Times are in milliseconds since the epoch. */
interface Accepted {
    /** The port of the client. */
    readonly port: number | undefined;
    readonly acceptedAt: number;
    /** Bytes that the service has read, of TLS before they are deciphered. */
    read?: number;
    closedAt?: number;
}
/** What a service knows of its connections when it ends. */
export interface Account {
    readonly accepted: readonly Accepted[];
    readonly endedAt: number;
}
/** Writes the account of a server to a file when the process exits. */
export declare function keepAccount(server: Server, path: string): void;
/** The file for the account of one service. */
export declare function accountFile(): {
    readonly path: string;
    /** Undefined if the service was killed before it could write it. */
    read(): Account | undefined;
    [Symbol.dispose](): void;
};
/**
 * Tells requests that a service has lost from those whose connection the kernel has reset by itself, and
 * describes each.
 *
 * Linux before 6.19 may take the end of a handshake of TCP and the first packet after it on two processors at
 * the same time. It then does not find the connection, and resets the client ("inet: Avoid ehash lookup race in
 * inet_ehash_insert()"). The service is not told: it has accepted the connection, never reads a byte of it, and
 * has it open long after the client was reset. One that closes a connection does so before its client sees it.
 */
export declare function judge(losses: readonly Loss[], account: Account | undefined, toldAt: number): {
    readonly lost: readonly {
        readonly reason: string;
        readonly line: string;
    }[];
    readonly resetByKernel: readonly string[];
};
export {};
//# sourceMappingURL=account.d.ts.map