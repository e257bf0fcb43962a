import { describe, expect, it } from 'vitest';
import { bundledDefinition } from '../lang/bundled.ts';
import { parseStrict } from '../parse/parse.ts';
import { checkStrict } from '../types/check.ts';
import type { ProtocolDefinition, Structure } from './definition.ts';
import { ProtocolValidationError } from './errors.ts';
import { structureOf } from './module-structure.ts';
import { ProtocolSet } from './protocol-set.ts';

const READER: ProtocolDefinition = {
  name: 'Reader',
  methods: { read: { parameters: ['int'], result: 'string' } },
};
const animals: readonly ProtocolDefinition[] = [
  { name: 'Animal', properties: { name: { type: 'string', readonly: true } } },
  { name: 'Dog', extends: ['Animal'], methods: { bark: { parameters: [] } } },
];

function issuesOf(definitions: readonly ProtocolDefinition[]): readonly string[] {
  try {
    new ProtocolSet(definitions);
  } catch (error) {
    if (!(error instanceof ProtocolValidationError)) throw error;
    return error.issues.map(({ kind, path, message }) => `${kind} ${path}: ${message}`);
  }
  return [];
}

function violations(want: Structure, have: Structure): readonly string[] {
  const set = new ProtocolSet([...animals, { ...want, name: 'Wanted' }]);
  return set
    .check('Given', have, 'Wanted')
    .violations.map(({ kind, message }) => `${kind}: ${message}`);
}

describe('conformance', () => {
  it('holds when every member is there', () => {
    const report = new ProtocolSet([READER]).check(
      'File',
      { methods: { read: { parameters: ['int'], result: 'string' } } },
      'Reader',
    );
    expect(report).toEqual({
      protocol: 'Reader',
      verdict: 'conforms',
      violations: [],
      checked: ['read'],
      unchecked: [],
    });
  });

  it('lists precisely what is missing, with the protocol that demands it', () => {
    const set = new ProtocolSet([
      READER,
      {
        name: 'Stream',
        extends: ['Reader'],
        methods: { close: { parameters: [] } },
        properties: { size: { type: 'int', readonly: true } },
      },
    ]);
    expect(set.check('Empty', {}, 'Stream').violations).toEqual([
      {
        kind: 'missing',
        member: 'read',
        protocol: 'Reader',
        message: "method 'read' of Reader is missing: fn(int): string",
      },
      {
        kind: 'missing',
        member: 'size',
        protocol: 'Stream',
        message: "property 'size' of Stream is missing: int",
      },
      {
        kind: 'missing',
        member: 'close',
        protocol: 'Stream',
        message: "method 'close' of Stream is missing: fn()",
      },
    ]);
  });

  it.each<[string, Structure, Structure, readonly string[]]>([
    [
      'a method that takes fewer parameters',
      { methods: { m: { parameters: ['int', 'int'] } } },
      { methods: { m: { parameters: ['int'] } } },
      ["wrong-arity: method 'm' of Wanted takes 1 parameters here and must take 2"],
    ],
    [
      'a parameter of another type',
      { methods: { m: { parameters: ['int'] } } },
      { methods: { m: { parameters: ['string'] } } },
      ["wrong-parameter: method 'm' of Wanted takes string as parameter 1 here and must take int"],
    ],
    [
      'a parameter that takes more',
      { methods: { m: { parameters: ['Dog'] } } },
      { methods: { m: { parameters: ['Animal'] } } },
      [],
    ],
    [
      'a parameter that takes less',
      { methods: { m: { parameters: ['Animal'] } } },
      { methods: { m: { parameters: ['Dog'] } } },
      ["wrong-parameter: method 'm' of Wanted takes Dog as parameter 1 here and must take Animal"],
    ],
    [
      'a parameter that takes anything',
      { methods: { m: { parameters: ['int'] } } },
      { methods: { m: { parameters: ['any'] } } },
      [],
    ],
    [
      'a result that is more',
      { methods: { m: { parameters: [], result: 'Animal' } } },
      { methods: { m: { parameters: [], result: 'Dog' } } },
      [],
    ],
    [
      'a result that is less',
      { methods: { m: { parameters: [], result: 'Dog' } } },
      { methods: { m: { parameters: [], result: 'Animal' } } },
      ["wrong-result: method 'm' of Wanted gives Animal here and must give Dog"],
    ],
    [
      'a result where none is wanted',
      { methods: { m: { parameters: [] } } },
      { methods: { m: { parameters: [], result: 'int' } } },
      ["wrong-result: method 'm' of Wanted gives int here and must give void"],
    ],
    [
      'a callback: what varies twice varies back',
      { methods: { m: { parameters: ['fn(Dog)'] } } },
      { methods: { m: { parameters: ['fn(Animal)'] } } },
      [
        "wrong-parameter: method 'm' of Wanted takes fn(Animal) as parameter 1 here and must take fn(Dog)",
      ],
    ],
    [
      'a callback that takes less',
      { methods: { m: { parameters: ['fn(Animal)'] } } },
      { methods: { m: { parameters: ['fn(Dog)'] } } },
      [],
    ],
    [
      'a read-only property that is more',
      { properties: { p: { type: 'Animal', readonly: true } } },
      { properties: { p: { type: 'Dog' } } },
      [],
    ],
    [
      'a writable property that is more',
      { properties: { p: { type: 'Animal' } } },
      { properties: { p: { type: 'Dog' } } },
      ["wrong-type: property 'p' of Wanted is Dog here and must be exactly Animal"],
    ],
    [
      'a writable property that can only be read',
      { properties: { p: { type: 'int' } } },
      { properties: { p: { type: 'int', readonly: true } } },
      ["not-writable: property 'p' of Wanted can only be read here"],
    ],
    [
      'a read-only property that can be written',
      { properties: { p: { type: 'int', readonly: true } } },
      { properties: { p: { type: 'int' } } },
      [],
    ],
    [
      'an optional member that is missing',
      { methods: { m: { parameters: [], optional: true } } },
      {},
      [],
    ],
    [
      'an optional member of another type',
      { properties: { p: { type: 'int', optional: true } } },
      { properties: { p: { type: 'bool' } } },
      ["wrong-type: property 'p' of Wanted is bool here and must be exactly int"],
    ],
    [
      'a member that is only optional',
      { methods: { m: { parameters: [] } } },
      { methods: { m: { parameters: [], optional: true } } },
      ["only-optional: method 'm' of Wanted is only optional here"],
    ],
    [
      'a property where a method is wanted',
      { methods: { m: { parameters: [] } } },
      { properties: { m: { type: 'fn()' } } },
      ["wrong-kind: method 'm' of Wanted is a property here"],
    ],
    ['members that nobody wants', {}, { methods: { m: { parameters: [] } } }, []],
    [
      'a protocol of the same structure and another name',
      { properties: { p: { type: 'Animal', readonly: true } } },
      { properties: { p: { type: 'Wanted', readonly: true } } },
      ["wrong-type: property 'p' of Wanted is Wanted here and must be Animal"],
    ],
  ])('of %s', (_, want, have, wanted) => {
    expect(violations(want, have)).toEqual(wanted);
  });

  it('goes by structure through protocols that mention themselves', () => {
    const list = (name: string, item: string): ProtocolDefinition => ({
      name,
      methods: {
        next: { parameters: [], result: name },
        add: { parameters: [item], result: name },
      },
    });
    const set = new ProtocolSet([
      ...animals,
      list('Dogs', 'Dog'),
      list('Beasts', 'Animal'),
      list('More', 'Dog'),
    ]);
    const has = (name: string): Structure => ({
      properties: { all: { type: name, readonly: true } },
    });
    const wants = new ProtocolSet([
      ...animals,
      list('Dogs', 'Dog'),
      list('Beasts', 'Animal'),
      list('More', 'Dog'),
      { name: 'Kennel', ...has('Dogs') },
    ]);
    expect(set.names).toContain('Dogs');
    expect(wants.check('X', has('More'), 'Kennel').verdict).toBe('conforms');
    expect(wants.check('X', has('Beasts'), 'Kennel').verdict).toBe('conforms');
    const other = new ProtocolSet([
      ...animals,
      list('Dogs', 'Dog'),
      list('Beasts', 'Animal'),
      { name: 'Zoo', ...has('Beasts') },
    ]);
    expect(other.check('X', has('Dogs'), 'Zoo').verdict).toBe('violates');
  });

  it('believes nothing that rested on what turned out false', () => {
    const has = (type: string): Structure => ({ properties: { x: { type, readonly: true } } });
    // A fits B only but for `bad`; on the way there C was taken to fit D because A would fit B.
    const set = new ProtocolSet([
      { name: 'A', properties: { x: { type: 'C', readonly: true }, bad: { type: 'int' } } },
      { name: 'B', properties: { x: { type: 'D', readonly: true }, bad: { type: 'string' } } },
      { name: 'C', ...has('A') },
      { name: 'D', ...has('B') },
      {
        name: 'Wanted',
        properties: { first: { type: 'B', readonly: true }, second: { type: 'D', readonly: true } },
      },
    ]);
    const given = { properties: { first: { type: 'A' }, second: { type: 'C' } } };
    const { violations: found } = set.check('X', given, 'Wanted');
    expect(found.map(({ member }) => member)).toEqual(['first', 'second']);
  });

  it('checks a program: its functions are methods', () => {
    const text =
      'fn read(n: int): string { return string(n) }\nfn map(f: fn(int): int) { print(f(1)) }';
    const program = checkStrict(parseStrict(bundledDefinition('core'), text));
    const structure = structureOf(program.main);
    expect(structure.methods?.map).toEqual({ parameters: ['fn(int): int'], result: 'void' });
    expect(new ProtocolSet([READER]).check('main', structure, 'Reader').verdict).toBe('conforms');
  });
});

describe('a partial check', () => {
  const methods = Object.fromEntries(
    Array.from({ length: 10 }, (_, i) => [`m${i}`, { parameters: ['int'] }]),
  );
  const set = new ProtocolSet([{ name: 'Wide', methods }]);

  it('says which members nobody asked for', () => {
    const report = set.check('X', {}, 'Wide', { only: ['m3'] });
    expect(report).toMatchObject({ verdict: 'violates', checked: ['m3'] });
    expect(report.unchecked).toHaveLength(9);
    expect(set.check('X', { methods }, 'Wide', { only: ['m3'] }).verdict).toBe('unknown');
  });

  it('ends when its steps are used up, and says how far it came', () => {
    const report = set.check('X', { methods }, 'Wide', { maxSteps: 10 });
    expect(report.verdict).toBe('unknown');
    expect(report.checked.length).toBeGreaterThan(0);
    expect([...report.checked, ...report.unchecked]).toEqual(Object.keys(methods));
  });

  it('ends when its time is over', () => {
    let asked = 0;
    const report = set.check('X', { methods }, 'Wide', { isOver: () => asked++ >= 4 });
    expect(report.checked).toEqual(['m0', 'm1', 'm2', 'm3']);
    expect(report.unchecked).toHaveLength(6);
  });
});

describe('protocols that make no sense', () => {
  it.each<[string, readonly ProtocolDefinition[], string]>([
    [
      'a cycle',
      [
        { name: 'A', extends: ['B'] },
        { name: 'B', extends: ['C'] },
        { name: 'C', extends: ['A'] },
      ],
      'extends-cycle A: extends itself: A → B → C → A',
    ],
    ['itself', [{ name: 'A', extends: ['A'] }], 'extends-cycle A: extends itself: A → A'],
    [
      'an unknown parent',
      [{ name: 'A', extends: ['B'] }],
      "unknown-protocol A: extends 'B', which is no protocol",
    ],
    [
      'an unknown type',
      [{ name: 'A', properties: { p: { type: 'fn(int): B' } } }],
      "unknown-protocol A.p: there is no protocol 'B'",
    ],
    ['a name twice', [{ name: 'A' }, { name: 'A' }], 'duplicate-protocol A: is declared twice'],
    ['a name that is a type', [{ name: 'int' }], 'bad-name int: is no name for a protocol'],
    [
      'a type that is none',
      [{ name: 'A', properties: { p: { type: 'fn(int' } } }],
      "bad-type A.p: 'fn(int' is no type: expected ')', found the end",
    ],
    [
      'a method that is a property too',
      [{ name: 'A', methods: { x: { parameters: [] } }, properties: { x: { type: 'int' } } }],
      'member-conflict A.x: is a property and a method at once',
    ],
    [
      'an override that breaks its promise',
      [
        READER,
        {
          name: 'B',
          extends: ['Reader'],
          methods: { read: { parameters: ['int'], result: 'int' } },
        },
      ],
      "member-conflict B.read: clashes with Reader: method 'read' of Reader gives int here and must give string, declared as fn(int): int",
    ],
    [
      'parents that clash',
      [
        READER,
        { name: 'Other', methods: { read: { parameters: [], result: 'string' } } },
        { name: 'Both', extends: ['Reader', 'Other'] },
      ],
      "member-conflict Both.read: clashes with Other: method 'read' of Other takes 1 parameters here and must take 0, declared as fn(int): string (from Reader)",
    ],
  ])('are refused: %s', (_, definitions, wanted) => {
    expect(issuesOf(definitions)).toContain(wanted);
  });

  it('are not asked about', () => {
    const set = new ProtocolSet([READER]);
    expect(() => set.check('X', {}, 'Writer')).toThrow(ProtocolValidationError);
    expect(() => set.check('X', { properties: { p: { type: 'Writer' } } }, 'Reader')).toThrow(
      /no protocol 'Writer'/,
    );
  });

  it('allow a diamond, and an override that keeps its promise', () => {
    const definitions = [
      ...animals,
      { name: 'Left', extends: ['Animal'] },
      { name: 'Right', extends: ['Animal'] },
      { name: 'Bottom', extends: ['Left', 'Right'] },
      { name: 'Owner', properties: { pet: { type: 'Animal', readonly: true } } },
      {
        name: 'DogOwner',
        extends: ['Owner'],
        properties: { pet: { type: 'Dog', readonly: true } },
      },
    ];
    expect(issuesOf(definitions)).toEqual([]);
  });
});
