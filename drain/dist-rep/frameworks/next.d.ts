import { type Framework } from './app.ts';
/** The app of Next, with a route handler for each path. */
export declare const NEXT_APP: string;
/** A custom server of Next, built before. It does not speak HTTP/2. */
export declare const next: Framework;
//# sourceMappingURL=next.d.ts.map