import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { arbitraryPrograms } from '../../test/arbitrary-program.ts';
import { withoutSpans } from '../../test/tree.ts';
import { BUNDLED_LANGUAGES, bundledDefinition } from '../lang/bundled.ts';
import type { LanguageDefinition } from '../lang/definition.ts';
import { loadDefinition } from '../lang/load.ts';
import { parseStrict } from '../parse/parse.ts';
import { format, formatTree } from './format.ts';

/** A text with random comments, empty lines and separators between its tokens. */
function strewn(definition: LanguageDefinition): fc.Arbitrary<string> {
  const { line, block } = definition.comments;
  const comments = [
    ...(line === undefined ? [] : [`${line} note\n`, `${line}\n`, `${line} a\n${line} b\n`]),
    ...(block === undefined
      ? []
      : [`${block.open} x ${block.close}`, `${block.open}\n  y\n z${block.close}`]),
  ] as [string, ...string[]];
  const gap = fc.oneof(
    { weight: 8, arbitrary: fc.constant(' ') },
    { weight: 2, arbitrary: fc.constantFrom('\n', '\n\n', '\n\n\n', '\t', ' \r\n') },
    { weight: 2, arbitrary: fc.constantFrom(...comments).map((text) => ` ${text} `) },
  );
  return fc.tuple(arbitraryPrograms(definition), fc.infiniteStream(gap)).map(([tree, gaps]) => {
    const text = formatTree(definition, tree);
    const { tokens } = parseStrict(definition, text);
    let out = '';
    let after = 0;
    for (const { startOffset, image } of tokens) {
      const between = text.slice(after, startOffset);
      const one = gaps.next().value as string;
      // A line break after `return` would change its meaning.
      const tied = /(?:^|\s)(?:return|devuelve|yield|give)$/.test(out);
      out += (tied || between === '' ? between : one) + image;
      after = startOffset + image.length;
    }
    return `${out}\n`;
  });
}

/** A language that uses the features of definitions that no bundled language uses. */
const ODD = loadDefinition(`
name: odd
keywords: { return: give, let: "let_", else: sonst }
marks: { blockOpen: "[", blockClose: "]", assign: "<-" }
comments: { line: "##", blockOpen: "#<", blockClose: ">#" }
operators:
  - { meaning: negate, symbol: "-", precedence: 5 }
  - { meaning: subtract, symbol: "-", precedence: 5, associativity: left }
  - { meaning: add, symbol: "+", precedence: 5 }
  - { meaning: not, symbol: "!", precedence: 1 }
  - { meaning: or, symbol: "|", precedence: 1, associativity: right }
  - { meaning: equal, symbol: "=", precedence: 2, associativity: none }
  - { meaning: power, symbol: "--", precedence: 9, associativity: none }
  - { meaning: multiply, symbol: mal, precedence: 99 }
functions: []
`);

const LANGUAGES = [...BUNDLED_LANGUAGES.map(bundledDefinition), ODD];

describe.each(LANGUAGES)('formatting in $name', (definition) => {
  it('a formatted tree parses back to the same tree', () => {
    fc.assert(
      fc.property(arbitraryPrograms(definition), (tree) => {
        const text = formatTree(definition, tree);
        expect(withoutSpans(parseStrict(definition, text).program)).toEqual(withoutSpans(tree));
      }),
      { numRuns: 500 },
    );
  });

  it('formatting is idempotent', () => {
    fc.assert(
      fc.property(strewn(definition), (text) => {
        const once = format(definition, text);
        expect(format(definition, once)).toBe(once);
      }),
      { numRuns: 300 },
    );
  });

  it('formatting preserves the tree and the comments', () => {
    fc.assert(
      fc.property(strewn(definition), (text) => {
        const before = parseStrict(definition, text);
        const after = parseStrict(definition, format(definition, text));
        expect(withoutSpans(after.program)).toEqual(withoutSpans(before.program));
        const texts = (comments: typeof before.comments) =>
          comments.map((comment) => comment.text.trimEnd()).sort();
        expect(texts(after.comments)).toEqual(texts(before.comments));
      }),
      { numRuns: 300 },
    );
  });
});
