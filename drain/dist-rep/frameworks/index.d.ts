import type { Framework } from './app.ts';
/** Each framework by its name, loaded when it is used. */
export declare const FRAMEWORKS: Readonly<Record<string, () => Promise<Framework>>>;
//# sourceMappingURL=index.d.ts.map