import { type Socket } from 'node:net';
/** Milliseconds since the epoch, on a clock that does not jump. */
export declare const now: () => number;
/** How far a connection of a client has come. */
export type Phase = 'connecting' | 'handshake' | 'open';
/** A connection of a client to 127.0.0.1, with what is known of it if a request on it is lost. */
export declare class Line {
    #private;
    readonly socket: Socket;
    /** The port of the client. */
    port: number | undefined;
    connectedAt: number | undefined;
    constructor(port: number, protocols?: readonly string[]);
    get phase(): Phase;
    /** Bytes received, of TLS before they are deciphered. */
    get received(): number;
}
//# sourceMappingURL=line.d.ts.map