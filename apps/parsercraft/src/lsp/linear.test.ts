import { expect, it } from 'vitest';
import { TextDocument } from 'vscode-languageserver-textdocument';
import { answer } from './answers.ts';
import { Workspace } from './workspace.ts';

const METHODS = [
  'diagnostic',
  'completion',
  'hover',
  'definition',
  'references',
  'documentSymbol',
  'rename',
  'formatting',
  'semanticTokens/full',
];

/** Texts that consist of one thing, of a given length. */
const TEXTS: Readonly<Record<string, (length: number) => string>> = {
  letters: (length) => 'A'.repeat(length),
  'letters that are not ASCII': (length) => 'é'.repeat(length),
  'names with dots': (length) => 'a.'.repeat(length / 2),
  names: (length) => 'a '.repeat(length / 2),
  digits: (length) => '1'.repeat(length),
  quotes: (length) => '"'.repeat(length),
  parentheses: (length) => '('.repeat(length),
  comments: (length) => '/*'.repeat(length / 2),
  spaces: (length) => ' '.repeat(length),
  'uses of one name': (length) => `let x = 1\n${'x=x+x\n'.repeat(length / 6)}`,
};

/** The least processor time of a few tries, in milliseconds. */
function leastTime(work: () => void): number {
  let best = Number.POSITIVE_INFINITY;
  for (let round = 0; round < 4; round += 1) {
    const before = process.cpuUsage();
    work();
    const { user, system } = process.cpuUsage(before);
    best = Math.min(best, (user + system) / 1_000);
  }
  return best;
}

it.each(Object.entries(TEXTS))(
  'the time of every request grows with the length of the text: %s',
  (_, textOf) => {
    const workspace = new Workspace();
    let version = 0;
    const timeOf = (method: string, length: number): number => {
      const text = textOf(length);
      return leastTime(() => {
        version += 1;
        const document = TextDocument.create('file:///a', 'core', version, text);
        const position = document.positionAt(method === 'rename' ? 4 : text.length);
        const params = {
          textDocument: { uri: 'file:///a' },
          position,
          newName: 'renamed',
          context: { includeDeclaration: true },
        };
        try {
          answer(workspace, () => document, `textDocument/${method}`, params);
        } catch (error) {
          // Some texts have no name to rename.
          expect((error as Error).constructor.name).toBe('ResponseError');
        }
      });
    };
    for (const method of METHODS) {
      const [short, long] = [timeOf(method, 1_500), timeOf(method, 12_000)];
      // Eight times the length; the square would be sixty-four times the time.
      expect(long / Math.max(short, 1), method).toBeLessThan(40);
    }
  },
  240_000,
);
