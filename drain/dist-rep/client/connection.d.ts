import type { Line } from './line.ts';
/** A complete response. */
export interface Response {
    readonly status: number;
    readonly body: string;
    /** Whether the server has said that it closes the connection. */
    readonly close: boolean;
}
/** One connection. Responses are read in order. */
export declare class Connection {
    #private;
    readonly line: Line;
    private constructor();
    /** Resolves when it is open, over TLS after the handshake. Rejects with the error of the socket. */
    static open(line: Line, secure: boolean): Promise<Connection>;
    /** Whether the server has not closed it. */
    get usable(): boolean;
    /** Sends bytes as they are. */
    send(bytes: string | Buffer): void;
    /** The next response. Rejects when the connection ends before it is complete. */
    response(): Promise<Response>;
    destroy(): void;
}
//# sourceMappingURL=connection.d.ts.map