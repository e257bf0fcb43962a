import type { WebSocketServer } from 'ws';
import type { App } from './frameworks/app.ts';
/** Time limit of the drain, in milliseconds. */
export declare const LIMIT_MS = 10000;
/** Makes an app shut down on SIGTERM. Called before it listens. */
export type Tool = (app: App, webSockets: WebSocketServer) => unknown;
/** Each tool by its name in the table. */
export declare const TOOLS: Readonly<Record<string, Tool>>;
/** The tools beside Temper in the table. */
export declare const PEERS: readonly string[];
//# sourceMappingURL=tools.d.ts.map