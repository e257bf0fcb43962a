import type { Comment } from '../parse/ast.ts';

/**
 * The comments of a source text in order. The printer takes each one when it passes its position.
 */
export class CommentQueue {
  readonly #text: string;
  readonly #comments: readonly Comment[];
  #next = 0;

  constructor(text: string, comments: readonly Comment[]) {
    this.#text = text;
    this.#comments = comments;
  }

  /** The next comment that starts before `offset`. */
  takeBefore(offset: number): Comment | undefined {
    const comment = this.#comments[this.#next];
    if (comment === undefined || comment.span.start >= offset) return undefined;
    this.#next += 1;
    return comment;
  }

  /** The next comment, if it starts before `limit` on the line of `offset`. */
  takeOnLineOf(offset: number, limit: number): Comment | undefined {
    const comment = this.#comments[this.#next];
    if (comment === undefined || comment.span.start >= limit) return undefined;
    if (this.#text.slice(offset, comment.span.start).includes('\n')) return undefined;
    this.#next += 1;
    return comment;
  }

  /** Whether there is an empty line between two offsets. */
  emptyLineBetween(end: number, start: number): boolean {
    if (start <= end) return false;
    return /\n[^\S\n]*\n/.test(this.#text.slice(end, start).replace(/[^\s]/g, ''));
  }
}
