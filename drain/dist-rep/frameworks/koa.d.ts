import { type Framework } from './app.ts';
export declare const koa: Framework;
//# sourceMappingURL=koa.d.ts.map