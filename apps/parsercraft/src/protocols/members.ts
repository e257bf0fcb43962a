import type { Structure } from './definition.ts';
import type { ProtocolIssue } from './errors.ts';
import { type ProtocolType, readType } from './type-expression.ts';

export interface Member {
  readonly name: string;
  readonly kind: 'method' | 'property';
  /** A method's is a function. */
  readonly type: ProtocolType;
  readonly optional: boolean;
  /** Methods are never assigned, so they count as read-only. */
  readonly readonly: boolean;
  /** The protocol or type that declares it. */
  readonly origin: string;
}

export type Members = ReadonlyMap<string, Member>;

const ANY: ProtocolType = { kind: 'primitive', name: 'any' };

/** Reads the members of a type; what is wrong goes to `complain`. */
export function readMembers(
  origin: string,
  structure: Structure,
  complain: (issue: ProtocolIssue) => void,
): Members {
  const members = new Map<string, Member>();
  const read = (path: string, text: string): ProtocolType => {
    const type = readType(text);
    if (type.kind !== 'fault') return type;
    complain({ kind: 'bad-type', path, message: `'${text}' is no type: ${type.message}` });
    return ANY;
  };
  for (const [name, property] of Object.entries(structure.properties ?? {})) {
    members.set(name, {
      name,
      kind: 'property',
      type: read(`${origin}.${name}`, property.type),
      optional: property.optional ?? false,
      readonly: property.readonly ?? false,
      origin,
    });
  }
  for (const [name, method] of Object.entries(structure.methods ?? {})) {
    const path = `${origin}.${name}`;
    if (members.has(name)) {
      complain({ kind: 'member-conflict', path, message: 'is a property and a method at once' });
    }
    members.set(name, {
      name,
      kind: 'method',
      type: {
        kind: 'function',
        parameters: method.parameters.map((text) => read(path, text)),
        result: read(path, method.result ?? 'void'),
      },
      optional: method.optional ?? false,
      readonly: true,
      origin,
    });
  }
  return members;
}

/** The protocols that a type names. */
export function namedIn(type: ProtocolType): readonly string[] {
  if (type.kind === 'protocol') return [type.name];
  if (type.kind === 'primitive') return [];
  return [...type.parameters.flatMap(namedIn), ...namedIn(type.result)];
}
