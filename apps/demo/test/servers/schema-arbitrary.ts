import fc from 'fast-check';

/** The part of JSON Schema that the service's own schemas use. */
export interface Schema {
  readonly type?: string;
  readonly enum?: readonly unknown[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: Schema | boolean;
  readonly items?: Schema;
  readonly maxItems?: number;
  readonly maxProperties?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly pattern?: string;
  readonly format?: string;
  readonly minimum?: number;
  readonly maximum?: number;
}

/** Names that every plain object seems to have. */
const PROTOTYPE_NAMES = Object.getOwnPropertyNames(Object.prototype);
/** Numbers at the edges of what their types can hold. */
const EDGES = [
  -1,
  -0,
  0,
  1,
  2 ** 31 - 1,
  2 ** 31,
  2 ** 32,
  2 ** 53 - 1,
  2 ** 53,
  1e21,
  1e308,
  -1e308,
  5e-324,
  0.1,
  1.5,
] as const;

/** Strings that have a meaning for the service, used in addition to random ones. */
const TEXTS = [
  '',
  'print(1)',
  'let x = 1\nwhile x < 5 { x = x + 1 }\nprint(x)',
  'use std.math\nprint(math.gcd(12, 18))',
  'fn f(n: int): int { return f(n) }\nprint(f(1))',
  'while true { }',
  '../../etc/passwd',
  '__proto__',
  'int',
  '^1.0.0',
  'Reader',
  'name: x\noperators: []\nfunctions: []\n',
  '\u0000\uFFFF😀',
  ...PROTOTYPE_NAMES,
] as const;

/**
 * Programs with a name that every object has. `constructor` is the only one that is a package name too, so it
 * is as frequent as all others.
 */
const inheritedNames: fc.Arbitrary<string> = fc
  .tuple(
    fc.oneof(fc.constant('constructor'), fc.constantFrom(...PROTOTYPE_NAMES)),
    fc.constantFrom<(name: string) => string>(
      (name) => `use ${name}\nprint(1)`,
      (name) => `use ${name}\nprint(${name}.f(1))`,
      (name) => `let ${name} = 1\nprint(${name})`,
      (name) => `fn ${name}(n: int): int { return n }\nprint(${name}(1))`,
    ),
  )
  .map(([name, program]) => program(name));

const MEMBERS = ['std.math', 'main.pc', 'read', 'a', ...PROTOTYPE_NAMES] as const;
/** Maximum size of generated lists and objects. */
const MOST = 5;

/** Arbitrary valid values of a schema. */
function allowedBy(schema: Schema): fc.Arbitrary<unknown> {
  if (schema.enum !== undefined) return fc.constantFrom(...schema.enum);
  switch (schema.type) {
    case 'object': {
      const { properties, required = [], additionalProperties, maxProperties = MOST } = schema;
      if (properties === undefined) {
        const values =
          typeof additionalProperties === 'object'
            ? allowedBy(additionalProperties)
            : fc.jsonValue();
        const size = Math.min(MOST, maxProperties);
        return fc.dictionary(fc.constantFrom(...MEMBERS), values, { maxKeys: size });
      }
      const model = Object.fromEntries(
        Object.entries(properties).map(([name, member]) => [name, allowedBy(member)]),
      );
      return fc.record(model, { requiredKeys: [...required] });
    }
    case 'array':
      return fc.array(allowedBy(schema.items ?? {}), {
        maxLength: Math.min(MOST, schema.maxItems ?? MOST),
      });
    case 'string':
      return textOf(schema);
    case 'integer':
      return fc.oneof(
        fc.integer({ min: schema.minimum ?? 0, max: schema.maximum ?? 1_000 }),
        fc.constantFrom(schema.minimum ?? 0, schema.maximum ?? 1_000),
      );
    case 'boolean':
      return fc.boolean();
    default:
      return fc.jsonValue();
  }
}

function textOf({ pattern, format, minLength = 0, maxLength = 100 }: Schema): fc.Arbitrary<string> {
  if (format === 'semver-range') return fc.constantFrom('*', '^1.0.0', '>=0.1.0 <2', '1.x');
  if (pattern !== undefined)
    return fc.stringMatching(new RegExp(pattern)).map((text) => text.slice(0, maxLength));
  const random = fc.string({ minLength, maxLength: Math.min(maxLength, 200), unit: 'binary' });
  return fc.oneof(
    fc.constantFrom(...TEXTS).filter((text) => text.length >= minLength),
    inheritedNames,
    random,
  );
}

/** Arbitrary valid, nearly valid and unrelated values for a schema. */
export function nearly(schema: Schema): fc.Arbitrary<unknown> {
  return fc.oneof(
    { weight: 6, arbitrary: allowedBy(schema) },
    { weight: 2, arbitrary: allowedBy(schema).chain(broken) },
    { weight: 1, arbitrary: fc.oneof(fc.jsonValue(), fc.constantFrom(...EDGES), deep, wide) },
  );
}

/** Values that are nested deeply. */
const deep: fc.Arbitrary<unknown> = fc
  .tuple(fc.nat(2_000), fc.constantFrom('', 'methods', 'structure', '__proto__', 'source'))
  .map(([depth, name]) => {
    let value: unknown = 1;
    for (let level = 0; level < depth; level += 1)
      value = name === '' ? [value] : { [name]: value };
    return value;
  });

/** Values with many members. */
const wide: fc.Arbitrary<unknown> = fc
  .tuple(fc.nat(5_000), fc.boolean())
  .map(([width, asList]) =>
    asList
      ? Array.from({ length: width }, (_, index) => index)
      : Object.fromEntries(Array.from({ length: width }, (_, index) => [`m${index}`, '*'])),
  );

/** Removes, replaces or adds one member. */
function broken(value: unknown): fc.Arbitrary<unknown> {
  if (typeof value !== 'object' || value === null) return fc.jsonValue();
  const names = Object.keys(value);
  const unlike = fc.oneof(
    fc.jsonValue(),
    fc.constantFrom(...EDGES, ...PROTOTYPE_NAMES),
    deep,
    wide,
  );
  return fc.tuple(fc.nat(), unlike, fc.nat(3)).map(([at, strange, how]) => {
    const copy: Record<string, unknown> = { ...value };
    const name = names[at % Math.max(1, names.length)];
    if (how === 0 && name !== undefined) delete copy[name];
    else if (how === 1 && name !== undefined) copy[name] = strange;
    else if (how === 2) copy[`x${at}`] = strange;
    if (how < 3) return copy;
    // An own member even when it is `__proto__`.
    const inherited = PROTOTYPE_NAMES[at % PROTOTYPE_NAMES.length] as string;
    return Object.fromEntries([...Object.entries(copy), [inherited, strange]]);
  });
}
