import type { CheckedModule } from '../types/module.ts';
import type { Type } from '../types/type.ts';
import type { MethodDefinition, Structure, TypeExpression } from './definition.ts';

/**
 * Describes the functions of a program or package as the methods of a type, for a conformance
 * check.
 */
export function structureOf(module: CheckedModule): Structure {
  const methods: [string, MethodDefinition][] = [];
  for (const [name, { type }] of module.functions) {
    if (type.kind !== 'function') continue;
    const parameters = type.parameters.map(expressionOf);
    methods.push([name, { parameters, result: expressionOf(type.result) }]);
  }
  return { methods: Object.fromEntries(methods) };
}

function expressionOf(type: Type): TypeExpression {
  if (type.kind === 'function') {
    return `fn(${type.parameters.map(expressionOf).join(', ')}): ${expressionOf(type.result)}`;
  }
  return type.kind === 'unknown' || type.kind === 'variable' ? 'any' : type.kind;
}
