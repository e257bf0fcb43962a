/** A place between two events of a query. */
export interface Cursor {
  readonly order: 'asc' | 'desc';
  /** Whether to go on `after` the sequence, in the query's order, or to go back from `before` it. */
  readonly side: 'after' | 'before';
  readonly sequence: number;
}

/** As text that means nothing to anybody else. */
export function encodeCursor({ order, side, sequence }: Cursor): string {
  return Buffer.from(`${order}:${side}:${sequence}`).toString('base64url');
}

/** @throws {TypeError} when it is not a cursor, or belongs to a query in the other order */
export function decodeCursor(text: string, order: 'asc' | 'desc'): Cursor {
  const decoded = Buffer.from(text, 'base64url').toString();
  const [, found, side, sequence] = /^(asc|desc):(after|before):(\d{1,16})$/.exec(decoded) ?? [];
  if (found === undefined) throw new TypeError(`query: cursor '${text}' is not one of a page.`);
  if (found !== order) {
    throw new TypeError(`query: the cursor is of a query in order '${found}', not '${order}'.`);
  }
  return { order, side: side as Cursor['side'], sequence: Number(sequence) };
}
