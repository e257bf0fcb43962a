import type { TypeName } from '../lang/vocabulary.ts';
import { PLAIN, resolve, type Type, type TypeVariable, UNKNOWN, VOID } from './type.ts';

/**
 * Maximum number of unification steps per module. Types with shared parts can be exponentially
 * large.
 */
const UNIFY_BUDGET = 500_000;

/** Aborts an inference that exceeds the step limit. */
export class TypesTooComplex extends Error {}

/**
 * Unification of first-order terms (J. A. Robinson, 1965) with occurs check. A type variable can be
 * restricted to a set of named types.
 */
export class Unifier {
  #budget = UNIFY_BUDGET;

  /** Unifies two types. Returns false when it fails; both may then be partially unified. */
  unify(a: Type, b: Type): boolean {
    this.#spend();
    const left = resolve(a);
    const right = resolve(b);
    if (left === right || left.kind === 'unknown' || right.kind === 'unknown') return true;
    if (left.kind === 'variable') return this.#bind(left, right);
    if (right.kind === 'variable') return this.#bind(right, left);
    if (left.kind !== 'function' || right.kind !== 'function') return left.kind === right.kind;
    return (
      left.parameters.length === right.parameters.length &&
      left.parameters.every((one, index) => this.unify(one, right.parameters[index] as Type)) &&
      this.unify(left.result, right.result)
    );
  }

  /** Restricts a type to the given choices. Returns false when that is impossible. */
  restrict(type: Type, allowed: readonly TypeName[]): boolean {
    const found = resolve(type);
    if (found.kind === 'unknown') return true;
    if (found.kind !== 'variable') return (allowed as readonly string[]).includes(found.kind);
    const left = found.allowed?.filter((name) => allowed.includes(name)) ?? allowed;
    if (left.length === 0) return false;
    found.allowed = left;
    found.mayBeVoid = false;
    return true;
  }

  /** Marks a value as used, so that its type cannot be `void`. Returns false for `void`. */
  demandValue(type: Type): boolean {
    const found = resolve(type);
    if (found.kind === 'variable') found.mayBeVoid = false;
    return found.kind !== 'void';
  }

  #bind(variable: TypeVariable, type: Type): boolean {
    if (type.kind === 'variable') {
      if (variable.allowed !== undefined && !this.restrict(type, variable.allowed)) return false;
      type.mayBeVoid &&= variable.mayBeVoid;
      variable.link = type;
      return true;
    }
    if (type.kind === 'void') {
      if (!variable.mayBeVoid) return false;
    } else if (variable.allowed !== undefined) {
      if (!(variable.allowed as readonly string[]).includes(type.kind)) return false;
    } else if (type.kind === 'function' && this.#occurs(variable, type)) {
      return false;
    }
    variable.link = type;
    return true;
  }

  #occurs(variable: TypeVariable, type: Type): boolean {
    this.#spend();
    const found = resolve(type);
    if (found === variable) return true;
    if (found.kind !== 'function') return false;
    return (
      found.parameters.some((one) => this.#occurs(variable, one)) ||
      this.#occurs(variable, found.result)
    );
  }

  #spend(): void {
    this.#budget -= 1;
    if (this.#budget < 0) throw new TypesTooComplex();
  }
}

interface FinishedType {
  readonly type: Type;
  /** Whether a part of the type is unrestricted. */
  readonly open: boolean;
}

/** Replaces type variables by their types. Shared parts are processed once. */
export class Finisher {
  readonly #done = new Map<Type, FinishedType>();

  /**
   * The type without variables. A variable restricted to numbers defaults to int, one with an
   * unused value to `void`. An unrestricted one remains open.
   */
  finish(type: Type): FinishedType {
    const found = resolve(type);
    if (found.kind === 'variable') {
      const { allowed, mayBeVoid } = found;
      if (allowed !== undefined) {
        return {
          type: PLAIN[allowed.includes('int') ? 'int' : (allowed[0] as TypeName)],
          open: false,
        };
      }
      return mayBeVoid ? { type: VOID, open: false } : { type: UNKNOWN, open: true };
    }
    if (found.kind !== 'function') return { type: found, open: false };
    const before = this.#done.get(found);
    if (before !== undefined) return before;
    const parts = [...found.parameters, found.result].map((one) => this.finish(one));
    const done: FinishedType = {
      type: {
        kind: 'function',
        parameters: parts.slice(0, -1).map((part) => part.type),
        result: (parts.at(-1) as FinishedType).type,
      },
      open: parts.some((part) => part.open),
    };
    this.#done.set(found, done);
    return done;
  }
}
