/** Kept equal to package.json by `pnpm version-packages`; a test holds it there. */
export const VERSION = '0.0.0';
