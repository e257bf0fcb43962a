import type { Clock } from '@temper/core';

/** An output stream of a command. */
export interface Output {
  /** Writes text, and resolves when the stream accepts more. */
  write(text: string): Promise<void> | void;
  /** Whether the stream is a terminal. */
  readonly isTerminal: boolean;
  /** Width of the terminal, in columns. */
  readonly columns: number;
}

/** Environment of a command. */
export interface Io {
  readonly stdout: Output;
  readonly stderr: Output;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly clock: Clock;
  /** Aborts on SIGINT. */
  readonly signal: AbortSignal;
}

const CODES = { red: 31, green: 32, yellow: 33, dim: 2, bold: 1 } as const;

/** A colour or weight of text. */
export type Style = keyof typeof CODES;

/** Styles text on a terminal, unless NO_COLOR is set. @see https://no-color.org */
export function styler(output: Output, env: Io['env']): (style: Style, text: string) => string {
  const plain =
    !output.isTerminal ||
    (env.NO_COLOR !== undefined && env.NO_COLOR !== '') ||
    env.TERM === 'dumb';
  return plain ? (_, text) => text : (style, text) => `\u001b[${CODES[style]}m${text}\u001b[0m`;
}

/** Control and format characters but the newline: what a terminal may obey. */
const COMMANDS = /(?![\n\u200C\u200D])[\p{Cc}\p{Cf}]/gu;

/**
 * Machine-readable text as it may be written to `output`: byte for byte, but with control characters
 * escaped as in JSON on a terminal, which would obey them.
 */
export function verbatim(output: Output, text: string): string {
  if (!output.isTerminal) return text;
  return text.replace(COMMANDS, (found) =>
    found.replaceAll(/[\s\S]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`),
  );
}
