import { type Framework } from './app.ts';
/** `node:http`, `node:https` or `node:http2`. */
export declare const node: Framework;
//# sourceMappingURL=node.d.ts.map