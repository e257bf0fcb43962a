import { resolveOptions } from '@temper/core/policy';
import { readIfPresent, writeDurably } from '../durable-file.ts';
import { textRule } from '../option-rules.ts';

/** The last event that a target has stored. */
export interface ShipCursor {
  /** Identifier of the log. */
  readonly log: string;
  readonly sequence: number;
  readonly hash: string;
}

/** Where the cursor of a target is kept. */
export interface CursorStore {
  /** The stored cursor; undefined if there is none. */
  read(): Promise<ShipCursor | undefined>;
  /** Replaces the cursor. Resolves when the new one survives a crash. */
  write(cursor: ShipCursor): Promise<void>;
}

/**
 * Keeps a cursor in a file of its own.
 *
 * @throws {TypeError} if an option is invalid
 */
export function fileCursor(options: { readonly path: string }): CursorStore {
  const { path } = resolveOptions<{ readonly path: string }, 'path'>(
    'fileCursor',
    options,
    {},
    { path: textRule },
  );
  textRule('fileCursor', 'path', path);
  return {
    read: async () => {
      const text = await readIfPresent(path as string);
      return text === undefined ? undefined : parse(text, path as string);
    },
    write: (cursor) => writeDurably(path as string, `${JSON.stringify(cursor)}\n`),
  };
}

function parse(text: string, path: string): ShipCursor {
  try {
    const { log, sequence, hash } = JSON.parse(text) as Partial<ShipCursor>;
    if (
      typeof log === 'string' &&
      Number.isSafeInteger(sequence) &&
      typeof hash === 'string' &&
      /^[0-9a-f]{64}$/.test(hash)
    ) {
      return { log, sequence: sequence as number, hash };
    }
  } catch {
    // Reported below.
  }
  throw new Error(`${path} is damaged: it is no cursor. Remove it to ship the whole log again`);
}
