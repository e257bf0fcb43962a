import fc from 'fast-check';
import { formatTree } from '../src/format/format.ts';
import type { LanguageDefinition } from '../src/lang/definition.ts';
import { arbitraryPrograms } from './arbitrary-program.ts';

/** Nearly valid programs, random sequences of tokens, and random text. */
export function garbage(definition: LanguageDefinition): fc.Arbitrary<string> {
  const words = [
    ...Object.values(definition.keywords),
    ...Object.values(definition.marks),
    ...definition.operators.map(({ symbol }) => symbol),
    ...definition.functions.map(({ name }) => name),
    ...[
      'x',
      'y1',
      '(',
      ')',
      ',',
      ':',
      '.',
      ';',
      '1',
      '2.5',
      '"s"',
      '"open',
      '\n',
      definition.comments.line ?? '',
    ],
  ];
  const heap = fc.array(fc.constantFrom(...words), { maxLength: 60 }).map((list) => list.join(' '));
  const damaged = fc
    .tuple(
      arbitraryPrograms(definition).map((tree) => formatTree(definition, tree)),
      fc.array(
        fc.tuple(
          fc.nat(),
          fc.nat(12),
          fc.oneof(fc.constantFrom(...words), fc.string({ maxLength: 4 })),
        ),
        {
          minLength: 1,
          maxLength: 4,
        },
      ),
    )
    .map(([text, cuts]) =>
      cuts.reduce((now, [seed, length, put]) => {
        const at = now.length === 0 ? 0 : seed % now.length;
        return now.slice(0, at) + put + now.slice(at + length);
      }, text),
    );
  return fc.oneof(damaged, heap, fc.string({ unit: 'binary', maxLength: 200 }), fc.string());
}
