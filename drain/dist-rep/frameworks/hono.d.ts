import { type Framework } from './app.ts';
export declare const hono: Framework;
//# sourceMappingURL=hono.d.ts.map