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
  it('a type with every member conforms', () => {
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

  it('lists each missing member with the protocol that declares it', () => {
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
      'a method with fewer parameters',
      { methods: { m: { parameters: ['int', 'int'] } } },
      { methods: { m: { parameters: ['int'] } } },
      ["wrong-arity: method 'm' of Wanted must have 2 parameters, but has 1"],
    ],
    [
      'a method with more parameters',
      { methods: { m: { parameters: ['int'] } } },
      { methods: { m: { parameters: ['int', 'int'] } } },
      ["wrong-arity: method 'm' of Wanted must have 1 parameter, but has 2"],
    ],
    [
      'a parameter of another type',
      { methods: { m: { parameters: ['int'] } } },
      { methods: { m: { parameters: ['string'] } } },
      ["wrong-parameter: method 'm' of Wanted must accept int as parameter 1, but accepts string"],
    ],
    [
      'a parameter of a supertype',
      { methods: { m: { parameters: ['Dog'] } } },
      { methods: { m: { parameters: ['Animal'] } } },
      [],
    ],
    [
      'a parameter of a subtype',
      { methods: { m: { parameters: ['Animal'] } } },
      { methods: { m: { parameters: ['Dog'] } } },
      ["wrong-parameter: method 'm' of Wanted must accept Animal as parameter 1, but accepts Dog"],
    ],
    [
      'a parameter of type any',
      { methods: { m: { parameters: ['int'] } } },
      { methods: { m: { parameters: ['any'] } } },
      [],
    ],
    [
      'a result of a subtype',
      { methods: { m: { parameters: [], result: 'Animal' } } },
      { methods: { m: { parameters: [], result: 'Dog' } } },
      [],
    ],
    [
      'a result of a supertype',
      { methods: { m: { parameters: [], result: 'Dog' } } },
      { methods: { m: { parameters: [], result: 'Animal' } } },
      ["wrong-result: method 'm' of Wanted must return Dog, but returns Animal"],
    ],
    [
      'a result where void is required',
      { methods: { m: { parameters: [] } } },
      { methods: { m: { parameters: [], result: 'int' } } },
      ["wrong-result: method 'm' of Wanted must return void, but returns int"],
    ],
    [
      'a callback, which reverses variance twice',
      { methods: { m: { parameters: ['fn(Dog)'] } } },
      { methods: { m: { parameters: ['fn(Animal)'] } } },
      [
        "wrong-parameter: method 'm' of Wanted must accept fn(Dog) as parameter 1, but accepts fn(Animal)",
      ],
    ],
    [
      'a callback with a narrower parameter',
      { methods: { m: { parameters: ['fn(Animal)'] } } },
      { methods: { m: { parameters: ['fn(Dog)'] } } },
      [],
    ],
    [
      'a read-only property of a subtype',
      { properties: { p: { type: 'Animal', readonly: true } } },
      { properties: { p: { type: 'Dog' } } },
      [],
    ],
    [
      'a writable property of a subtype',
      { properties: { p: { type: 'Animal' } } },
      { properties: { p: { type: 'Dog' } } },
      ["wrong-type: property 'p' of Wanted must be exactly Animal, but is Dog"],
    ],
    [
      'a read-only property where a writable one is required',
      { properties: { p: { type: 'int' } } },
      { properties: { p: { type: 'int', readonly: true } } },
      ["not-writable: property 'p' of Wanted must be writable, but is read-only"],
    ],
    [
      'a writable property where a read-only one is required',
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
      ["wrong-type: property 'p' of Wanted must be exactly int, but is bool"],
    ],
    [
      'an optional member where a required one is needed',
      { methods: { m: { parameters: [] } } },
      { methods: { m: { parameters: [], optional: true } } },
      ["only-optional: method 'm' of Wanted must not be optional"],
    ],
    [
      'a property where a method is required',
      { methods: { m: { parameters: [] } } },
      { properties: { m: { type: 'fn()' } } },
      ["wrong-kind: method 'm' of Wanted must be a method, but is a property"],
    ],
    ['additional members', {}, { methods: { m: { parameters: [] } } }, []],
    [
      'a recursive protocol of the same structure and another name',
      { properties: { p: { type: 'Animal', readonly: true } } },
      { properties: { p: { type: 'Wanted', readonly: true } } },
      ["wrong-type: property 'p' of Wanted must be Animal, but is Wanted"],
    ],
  ])('checks conformance of %s', (_, want, have, wanted) => {
    expect(violations(want, have)).toEqual(wanted);
  });

  it('compares recursive protocols structurally', () => {
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

  it('discards results that depend on a refuted assumption', () => {
    const has = (type: string): Structure => ({ properties: { x: { type, readonly: true } } });
    // A does not conform to B because of `bad`. Before that, C was found to conform to D under the
    // assumption that A conforms to B.
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

  it('checks the functions of a program as methods', () => {
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

  it('a check with `only` reports the other members as unchecked', () => {
    const report = set.check('X', {}, 'Wide', { only: ['m3'] });
    expect(report).toMatchObject({ verdict: 'violates', checked: ['m3'] });
    expect(report.unchecked).toHaveLength(9);
    expect(set.check('X', { methods }, 'Wide', { only: ['m3'] }).verdict).toBe('unknown');
  });

  it('a check stops at maxSteps and reports the members it checked', () => {
    const report = set.check('X', { methods }, 'Wide', { maxSteps: 10 });
    expect(report.verdict).toBe('unknown');
    expect(report.checked.length).toBeGreaterThan(0);
    expect([...report.checked, ...report.unchecked]).toEqual(Object.keys(methods));
  });

  it('a check stops when isOver returns true', () => {
    let asked = 0;
    const report = set.check('X', { methods }, 'Wide', { isOver: () => asked++ >= 4 });
    expect(report.checked).toEqual(['m0', 'm1', 'm2', 'm3']);
    expect(report.unchecked).toHaveLength(6);
  });
});

describe('invalid protocols', () => {
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
    [
      'a protocol that extends itself',
      [{ name: 'A', extends: ['A'] }],
      'extends-cycle A: extends itself: A → A',
    ],
    [
      'an unknown parent',
      [{ name: 'A', extends: ['B'] }],
      "unknown-protocol A: extends 'B', which is not a protocol",
    ],
    [
      'an unknown type',
      [{ name: 'A', properties: { p: { type: 'fn(int): B' } } }],
      "unknown-protocol A.p: unknown protocol 'B'",
    ],
    ['a duplicate name', [{ name: 'A' }, { name: 'A' }], 'duplicate-protocol A: is declared twice'],
    ['a name that is a type', [{ name: 'int' }], 'bad-name int: is not a valid protocol name'],
    [
      'an invalid type',
      [{ name: 'A', properties: { p: { type: 'fn(int' } } }],
      "bad-type A.p: 'fn(int' is not a valid type: expected ')', found end of input",
    ],
    [
      'a member that is both a method and a property',
      [{ name: 'A', methods: { x: { parameters: [] } }, properties: { x: { type: 'int' } } }],
      'member-conflict A.x: is declared as both a property and a method',
    ],
    [
      'an incompatible override',
      [
        READER,
        {
          name: 'B',
          extends: ['Reader'],
          methods: { read: { parameters: ['int'], result: 'int' } },
        },
      ],
      "member-conflict B.read: conflicts with Reader: method 'read' of Reader must return string, but returns int, declared as fn(int): int",
    ],
    [
      'conflicting parents',
      [
        READER,
        { name: 'Other', methods: { read: { parameters: [], result: 'string' } } },
        { name: 'Both', extends: ['Reader', 'Other'] },
      ],
      "member-conflict Both.read: conflicts with Other: method 'read' of Other must have 0 parameters, but has 1, declared as fn(int): string (from Reader)",
    ],
  ])('rejects %s', (_, definitions, wanted) => {
    expect(issuesOf(definitions)).toContain(wanted);
  });

  it('rejects a check against an unknown protocol', () => {
    const set = new ProtocolSet([READER]);
    expect(() => set.check('X', {}, 'Writer')).toThrow(ProtocolValidationError);
    expect(() => set.check('X', { properties: { p: { type: 'Writer' } } }, 'Reader')).toThrow(
      /unknown protocol 'Writer'/,
    );
  });

  it('accepts diamond inheritance and a compatible override', () => {
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
