import { type Load, type LoadOptions } from './tally.ts';
/** Clients with a session each, on which several workers send one request after the other. */
export declare function http2Load(options: LoadOptions): Load;
//# sourceMappingURL=http2.d.ts.map