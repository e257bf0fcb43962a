const ADDRESSES: readonly RegExp[] = [
  // URLs: their paths are those of a subsystem too.
  /\b[a-z][a-z0-9+.-]{0,31}:\/\/[^\s'"`<>()[\]{}]*(?:\[[0-9a-f:.]+\][^\s'"`<>()[\]{}]*)?/gi,
  // Addresses with or without a port, as in `connect ECONNREFUSED ::1:4810`.
  /(?<![\d.])\d{1,3}(?:\.\d{1,3}){3}(?::\d{1,5})?(?![\d.])/g,
  /\[[0-9a-f]*:[0-9a-f:.]+\](?::\d{1,5})?/gi,
  /(?<![\w:])(?:(?:[0-9a-f]{0,4}:){3,7}[0-9a-f]{1,5}|[0-9a-f:]*::[0-9a-f]{1,4})(?![\w:])/gi,
  /\blocalhost(?::\d{1,5})?\b/gi,
];
const ABSOLUTE_PATH = /(?<![\w./])(?:[A-Z]:)?[/\\](?:[\w.@+~-]+[/\\])+[\w.@+~-]+/g;

/** Replaces addresses and URLs in a text that may have the paths of resources. */
export function withoutAddresses(text: string): string {
  return ADDRESSES.reduce((rest, address) => rest.replace(address, '(inner)'), text);
}

/**
 * Replaces addresses, URLs and paths of files, which are nobody's business but the operator's, in a text about
 * the failure of a subsystem.
 */
export function withoutInnerPlacesInText(text: string): string {
  return withoutAddresses(text).replace(ABSOLUTE_PATH, '(inner)');
}

/** The same of a value of any depth, as it is in JSON. */
export function withoutInnerPlaces<T>(value: T): T {
  return JSON.parse(JSON.stringify(value), (_, part: unknown) =>
    typeof part === 'string' ? withoutInnerPlacesInText(part) : part,
  ) as T;
}
