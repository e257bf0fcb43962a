import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Structure } from './definition.ts';
import { ProtocolSet } from './protocol-set.ts';
import { readType, typeToText } from './type-expression.ts';

describe('protocols, by property', () => {
  const names = ['A', 'B', 'C', 'D'] as const;
  const type = fc.letrec<{ type: string }>((tie) => ({
    type: fc.oneof(
      { depthSize: 'small' },
      fc.constantFrom('int', 'string', 'any', ...names),
      fc
        .tuple(fc.array(tie('type'), { maxLength: 2 }), tie('type'))
        .map(([list, result]) => `fn(${list.join(', ')}): ${result}`),
    ),
  })).type;
  const structures = (optional: fc.Arbitrary<boolean>): fc.Arbitrary<Structure> =>
    fc.record({
      methods: fc.dictionary(
        fc.constantFrom('m', 'n', 'o'),
        fc.record({ parameters: fc.array(type, { maxLength: 2 }), result: type, optional }),
      ),
      properties: fc.dictionary(
        fc.constantFrom('p', 'q'),
        fc.record({ type, readonly: fc.boolean(), optional }),
      ),
    });
  const setsOf = (one: fc.Arbitrary<Structure>) =>
    fc
      .tuple(one, one, one, one)
      .map((list) => list.map((member, index) => ({ ...member, name: names[index] as string })));
  const sets = setsOf(structures(fc.boolean()));
  // Optional members break transitivity: one may be missing in the middle and present at the end.
  const required = structures(fc.constant(false));

  it('conformance is reflexive', () => {
    fc.assert(
      fc.property(sets, (definitions) => {
        const set = new ProtocolSet(definitions);
        for (const one of definitions) {
          expect(set.check(one.name, one, one.name).verdict).toBe('conforms');
        }
      }),
    );
  });

  it('conformance is transitive', () => {
    fc.assert(
      fc.property(setsOf(required), required, (definitions, given) => {
        const set = new ProtocolSet(definitions);
        const fits = (have: Structure, want: string) =>
          set.check('X', have, want).verdict === 'conforms';
        for (const middle of definitions) {
          if (!fits(given, middle.name)) continue;
          for (const want of names) if (fits(middle, want)) expect(fits(given, want)).toBe(true);
        }
      }),
      { numRuns: 2000 },
    );
  });

  it('a removed member is reported as missing', () => {
    fc.assert(
      fc.property(sets, (definitions) => {
        const set = new ProtocolSet(definitions);
        for (const one of definitions) {
          for (const name of Object.keys(one.methods ?? {})) {
            const { [name]: gone, ...methods } = one.methods ?? {};
            const { violations: found } = set.check('X', { ...one, methods }, one.name);
            expect(found.map(({ member }) => member)).toEqual(gone?.optional ? [] : [name]);
          }
        }
      }),
    );
  });

  it('a printed type parses back to the same type', () => {
    fc.assert(
      fc.property(type, (text) => {
        const read = readType(text);
        expect(read.kind).not.toBe('fault');
        if (read.kind !== 'fault') expect(readType(typeToText(read))).toEqual(read);
      }),
    );
    fc.assert(fc.property(fc.string(), (text) => void readType(text)));
  });
});
