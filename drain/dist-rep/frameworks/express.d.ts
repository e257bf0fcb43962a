import { type Framework } from './app.ts';
/** Express, which does not speak HTTP/2. */
export declare const withExpress: Framework;
//# sourceMappingURL=express.d.ts.map