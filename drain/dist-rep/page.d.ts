import { type Results } from './results.ts';
/** The page `docs/drain.md`. */
export declare function pageOf(results: Results): string;
//# sourceMappingURL=page.d.ts.map