import { show } from '@temper/core/policy';

/** A position between two events of a query. */
export interface Cursor {
  readonly order: 'asc' | 'desc';
  /** `after`: the next page, in the order of the query. `before`: the previous page. */
  readonly side: 'after' | 'before';
  readonly sequence: number;
}

/** Encodes a cursor as opaque text. */
export function encodeCursor({ order, side, sequence }: Cursor): string {
  return Buffer.from(`${order}:${side}:${sequence}`).toString('base64url');
}

/** @throws {TypeError} if the text is not a cursor, or belongs to a query in the other order */
export function decodeCursor(text: string, order: 'asc' | 'desc'): Cursor {
  const decoded = Buffer.from(text, 'base64url').toString();
  const [, found, side, sequence] = /^(asc|desc):(after|before):(\d{1,16})$/.exec(decoded) ?? [];
  if (found === undefined)
    throw new TypeError(`query: cursor must be next or previous of a page, got ${show(text)}.`);
  if (found !== order) {
    throw new TypeError(
      `query: the cursor belongs to a query in order '${found}', not '${order}'.`,
    );
  }
  return { order, side: side as Cursor['side'], sequence: Number(sequence) };
}
