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
] as const;
const MEMBERS = ['std.math', 'main.pc', 'read', '__proto__', 'constructor', 'a'] as const;
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
      return fc.integer({ min: schema.minimum ?? 0, max: schema.maximum ?? 1_000 });
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
    random,
  );
}

/** Arbitrary valid, nearly valid and unrelated values for a schema. */
export function nearly(schema: Schema): fc.Arbitrary<unknown> {
  return fc.oneof(
    { weight: 6, arbitrary: allowedBy(schema) },
    { weight: 2, arbitrary: allowedBy(schema).chain(broken) },
    { weight: 1, arbitrary: fc.jsonValue() },
  );
}

/** Removes, replaces or adds one member. */
function broken(value: unknown): fc.Arbitrary<unknown> {
  if (typeof value !== 'object' || value === null) return fc.jsonValue();
  const names = Object.keys(value);
  return fc.tuple(fc.nat(), fc.jsonValue(), fc.nat(2)).map(([at, strange, how]) => {
    const copy: Record<string, unknown> = { ...value };
    const name = names[at % Math.max(1, names.length)];
    if (how === 0 && name !== undefined) delete copy[name];
    else if (how === 1 && name !== undefined) copy[name] = strange;
    else copy[`x${at}`] = strange;
    return copy;
  });
}
