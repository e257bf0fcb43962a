import type { Load, LoadOptions } from './client/tally.ts';
import type { Transport } from './frameworks/app.ts';
/** Name of a protocol in the table. */
export type ProtocolName = 'http' | 'https' | 'h2' | 'WebSocket' | 'SSE' | 'upload' | 'long poll' | 'pipelined';
/** How clients talk to a service. */
export interface Protocol {
    /** The transport of the service. */
    readonly transport: Transport;
    /** Starts the clients. `secure` says whether they use TLS. */
    load(options: LoadOptions, secure: boolean): Load;
}
/** Each protocol by its name in the table. */
export declare const PROTOCOLS: Readonly<Record<ProtocolName, Protocol>>;
/** The columns of the table. */
export declare const PROTOCOL_NAMES: readonly ProtocolName[];
/** Every row of the table: a framework, and the protocols that it speaks. */
export declare const ROWS: Readonly<Record<string, {
    framework: string;
    fallback?: boolean;
    lacks: readonly ProtocolName[];
}>>;
//# sourceMappingURL=protocols.d.ts.map