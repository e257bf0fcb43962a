import { type Load, type LoadOptions } from './tally.ts';
/** Clients that each send one message after the other and wait for its answer. */
export declare function webSocketLoad(options: LoadOptions, secure: boolean): Load;
//# sourceMappingURL=web-socket.d.ts.map