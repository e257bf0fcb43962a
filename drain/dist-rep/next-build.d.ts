/** Builds the app of Next, unless it is built. */
export declare function buildNext(): void;
//# sourceMappingURL=next-build.d.ts.map