import type { Clock } from '@temper/core';

/** Where a command writes to. */
export interface Output {
  /** Writes, and resolves when there is room for more. */
  write(text: string): Promise<void> | void;
  /** Whether somebody is looking. */
  readonly isTerminal: boolean;
  /** Width of the terminal, in columns. */
  readonly columns: number;
}

/** What a command has around it. */
export interface Io {
  readonly stdout: Output;
  readonly stderr: Output;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly clock: Clock;
  /** Aborts when the user interrupts. */
  readonly signal: AbortSignal;
}

const CODES = { red: 31, green: 32, yellow: 33, dim: 2, bold: 1 } as const;

/** A colour, or weight, of text. */
export type Style = keyof typeof CODES;

/** Colours text for a terminal, and for nothing else. @see https://no-color.org */
export function styler(output: Output, env: Io['env']): (style: Style, text: string) => string {
  const plain =
    !output.isTerminal ||
    (env.NO_COLOR !== undefined && env.NO_COLOR !== '') ||
    env.TERM === 'dumb';
  return plain ? (_, text) => text : (style, text) => `\u001b[${CODES[style]}m${text}\u001b[0m`;
}
