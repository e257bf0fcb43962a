/** A fenced block of commands with the outputs that the page prints for it. */
export interface Block {
  /** Line of the page at which it begins, from 1. */
  readonly line: number;
  readonly run: string;
  readonly good: string | undefined;
  readonly bad: string | undefined;
}

/** What a page has that a reader could copy into a shell. */
export interface Page {
  readonly blocks: readonly Block[];
  /** Inline code that begins with the name of a program. */
  readonly inline: readonly string[];
  /** Fences of other languages, and indented code. */
  readonly others: readonly string[];
}

const PROGRAMS =
  /^(?:bash|cat|cd|curl|df|docker|du|echo|export|git|grep|jq|kill|kubectl|ls|node|npm|npx|pnpm|prometheus|promtool|ps|redis-cli|sed|sh|sqlite3|sudo|systemctl|temper-\w+|top|ask|query)\b/;

/** Reads the blocks of a Markdown page. */
export function readPage(markdown: string): Page {
  const blocks: { line: number; run: string; good?: string; bad?: string }[] = [];
  const inline: string[] = [];
  const others: string[] = [];
  const lines = markdown.split('\n');
  let label: 'good' | 'bad' | undefined;
  let prose = '';
  for (let at = 0; at < lines.length; at++) {
    const line = lines[at] as string;
    const fence = /^( *)(`{3,}|~{3,})(\S*)\s*$/.exec(line);
    if (fence === null) {
      if (line.trim() === 'Good:') label = 'good';
      else if (line.trim() === 'Bad:') label = 'bad';
      prose += `${line}\n`;
      continue;
    }
    const [, indent = '', marks = '', language = ''] = fence;
    const begin = at + 1;
    const content: string[] = [];
    for (at++; at < lines.length && (lines[at] as string).trim() !== marks; at++) {
      content.push((lines[at] as string).slice(indent.length));
    }
    const text = content.join('\n');
    const last = blocks.at(-1);
    if (language === 'sh') blocks.push({ line: begin, run: text });
    else if (language === 'text' && last !== undefined && label !== undefined) last[label] = text;
    // A drawing in words is no command.
    else if (language !== '' || PROGRAMS.test(text.trim())) others.push(text);
    label = undefined;
  }
  for (const [, code = ''] of prose.matchAll(/`([^`\n]+)`/g)) {
    if (PROGRAMS.test(code.trim()) && code.includes(' ')) inline.push(code);
  }
  return { blocks: blocks as readonly Block[], inline, others };
}

/**
 * Whether an output is as a page prints it: the printed lines occur in this order, possibly among
 * others. `…` stands for anything, `N` for a number above 0, `(nothing)` for no output.
 */
export function matches(output: string, printed: string): boolean {
  if (printed === '(nothing)') return output.trim() === '';
  const lines = output.split('\n').map((line) => line.trimEnd());
  let from = 0;
  for (const line of printed.split('\n')) {
    const pattern = new RegExp(
      `^ *${line
        .trim()
        .replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
        .replace(/(?<![\w])N(?![\w])/g, '(?=[\\d.]*[1-9])\\d+(?:\\.\\d+)?(?:e[+-]?\\d+)?')
        .replaceAll('…', '.*')}$`,
    );
    const at = lines.findIndex((one, index) => index >= from && pattern.test(one));
    if (at === -1) return false;
    from = at + 1;
  }
  return true;
}
