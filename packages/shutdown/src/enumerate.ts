import { safeText } from '@temper/core/policy';

/** Longest enumeration, in UTF-16 code units, so that a line stays readable. */
const MAX_LENGTH = 480;
/** Longest single item. */
const MAX_ITEM = 160;

/** Joins names or descriptions, as many as fit on a line, and says how many are left out. */
export function enumerate(items: readonly string[], separator = ', '): string {
  let text = '';
  for (const [at, item] of items.entries()) {
    const next = safeText(item, MAX_ITEM);
    if (text.length + next.length > MAX_LENGTH) {
      return `${text}${separator}and ${items.length - at} more`;
    }
    text = at === 0 ? next : `${text}${separator}${next}`;
  }
  return text;
}
