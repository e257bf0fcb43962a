import 'reflect-metadata';
import type { Framework } from './app.ts';
/** Nest on its Express platform, which does not speak HTTP/2. */
export declare const nest: Framework;
//# sourceMappingURL=nest.d.ts.map