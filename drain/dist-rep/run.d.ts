import { type LoadOptions } from './client/tally.ts';
import { type ProtocolName } from './protocols.ts';
/** What one run measures. */
export interface Cell {
    readonly tool: string;
    readonly row: string;
    readonly protocol: ProtocolName;
}
/** Result of one run. */
export interface Run {
    readonly sent: number;
    readonly lost: number;
    /** Why requests were lost, each reason with its count. */
    readonly reasons: Readonly<Record<string, number>>;
    /** A line for each of them: where it was lost, and what the service knows of its connection. */
    readonly losses: readonly string[];
    /** A line for each request whose connection the kernel of the machine reset by itself; not lost. */
    readonly resetByKernel: readonly string[];
    /** Connections, or streams of HTTP/2, that were refused. */
    readonly refused: number;
    /** Requests in flight when SIGTERM was sent. */
    readonly inFlight: number;
    /** Time from SIGTERM to the end of the process, in milliseconds. */
    readonly endedMs: number;
    /** Exit code, or the signal that ended the process. */
    readonly end: string;
}
/** Starts a service and 240 clients, and sends it SIGTERM at a random moment. */
export declare function run(cell: Cell, whenTold: LoadOptions['whenTold']): Promise<Run>;
//# sourceMappingURL=run.d.ts.map