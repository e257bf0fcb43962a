/** Package names: lower-case words joined by hyphens or dots; a word after a dot starts with a letter. */
export const PACKAGE_NAME_PATTERN = '^[a-z][a-z0-9]*(-[a-z0-9]+|\\.[a-z][a-z0-9]*)*$';
/** Maximum length, in characters. */
export const MAX_PACKAGE_NAME = 64;

const PATTERN = new RegExp(PACKAGE_NAME_PATTERN);

export function isPackageName(name: string): boolean {
  return name.length <= MAX_PACKAGE_NAME && PATTERN.test(name);
}
