/** How packages are named: lower-case words; those after a dot begin with a letter. */
export const PACKAGE_NAME_PATTERN = '^[a-z][a-z0-9]*(-[a-z0-9]+|\\.[a-z][a-z0-9]*)*$';
/** In characters. */
export const MAX_PACKAGE_NAME = 64;

const PATTERN = new RegExp(PACKAGE_NAME_PATTERN);

export function isPackageName(name: string): boolean {
  return name.length <= MAX_PACKAGE_NAME && PATTERN.test(name);
}
