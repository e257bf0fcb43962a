import type { Structure } from './definition.ts';
import type { ProtocolIssue } from './errors.ts';
import { type ProtocolType, readType } from './type-expression.ts';

export interface Member {
  readonly name: string;
  readonly kind: 'method' | 'property';
  /** A function type for methods. */
  readonly type: ProtocolType;
  readonly optional: boolean;
  /** Methods cannot be assigned, so they count as read-only. */
  readonly readonly: boolean;
  /** The protocol or type that declares it. */
  readonly origin: string;
}

export type Members = ReadonlyMap<string, Member>;

const ANY: ProtocolType = { kind: 'primitive', name: 'any' };

/** Reads the members of a type and reports issues. */
export function readMembers(
  origin: string,
  structure: Structure,
  report: (issue: ProtocolIssue) => void,
): Members {
  const members = new Map<string, Member>();
  const read = (path: string, text: string): ProtocolType => {
    const type = readType(text);
    if (type.kind !== 'fault') return type;
    report({ kind: 'bad-type', path, message: `'${text}' is not a valid type: ${type.message}` });
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
      report({
        kind: 'member-conflict',
        path,
        message: 'is declared as both a property and a method',
      });
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

/** The protocols that a type refers to. */
export function namedIn(type: ProtocolType): readonly string[] {
  if (type.kind === 'protocol') return [type.name];
  if (type.kind === 'primitive') return [];
  return [...type.parameters.flatMap(namedIn), ...namedIn(type.result)];
}
