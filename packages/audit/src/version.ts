/** Kept equal to package.json by `pnpm version-packages`; a test compares them. */
export const VERSION = '0.0.0';
