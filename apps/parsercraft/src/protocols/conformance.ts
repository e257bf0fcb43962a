import type { Member, Members } from './members.ts';
import { type ProtocolType, typeToText } from './type-expression.ts';

type ViolationKind =
  | 'missing'
  | 'wrong-kind'
  | 'wrong-arity'
  | 'wrong-parameter'
  | 'wrong-result'
  | 'wrong-type'
  | 'not-writable'
  | 'only-optional';

/** One reason why a type does not conform. */
export interface Violation {
  readonly kind: ViolationKind;
  readonly member: string;
  /** The protocol that declares the member: the checked one, or one it extends. */
  readonly protocol: string;
  readonly message: string;
}

/** Aborts a check that has exceeded its steps or its time. */
export class BudgetUsedUp extends Error {}

/** Compares types structurally. Every comparison takes a step. */
export class Conformance {
  readonly #membersOf: (protocol: string) => Members;
  readonly #spend: () => void;
  /**
   * Pairs known to conform, and pairs under comparison, which are assumed to conform (coinduction).
   */
  readonly #assumed = new Set<string>();
  readonly #trail: string[] = [];

  constructor(membersOf: (protocol: string) => Members, spend: () => void) {
    this.#membersOf = membersOf;
    this.#spend = spend;
  }

  /** The violations when `have` is used as the member `want`. */
  member(want: Member, have: Member | undefined): readonly Violation[] {
    this.#spend();
    const violation = (kind: ViolationKind, message: string): Violation => ({
      kind,
      member: want.name,
      protocol: want.origin,
      message: `${want.kind} '${want.name}' of ${want.origin} ${message}`,
    });
    if (have === undefined) {
      return want.optional ? [] : [violation('missing', `is missing: ${typeToText(want.type)}`)];
    }
    if (have.kind !== want.kind)
      return [violation('wrong-kind', `must be a ${want.kind}, but is a ${have.kind}`)];
    const found: Violation[] = [];
    if (have.optional && !want.optional)
      found.push(violation('only-optional', 'must not be optional'));
    if (have.readonly && !want.readonly)
      found.push(violation('not-writable', 'must be writable, but is read-only'));
    if (want.type.kind === 'function' && have.type.kind === 'function' && want.kind === 'method') {
      return [...found, ...this.#method(want.type, have.type, violation)];
    }
    const fits =
      this.isSubtype(have.type, want.type) &&
      (want.readonly || this.isSubtype(want.type, have.type));
    if (!fits) {
      const how = want.readonly ? '' : 'exactly ';
      const message = `must be ${how}${typeToText(want.type)}, but is ${typeToText(have.type)}`;
      found.push(violation('wrong-type', message));
    }
    return found;
  }

  /** Parameters are contravariant, results covariant. */
  #method(
    want: Extract<ProtocolType, { kind: 'function' }>,
    have: Extract<ProtocolType, { kind: 'function' }>,
    violation: (kind: ViolationKind, message: string) => Violation,
  ): readonly Violation[] {
    if (want.parameters.length !== have.parameters.length) {
      const wanted = want.parameters.length;
      const message = `must have ${wanted} ${wanted === 1 ? 'parameter' : 'parameters'}, but has ${have.parameters.length}`;
      return [violation('wrong-arity', message)];
    }
    const found: Violation[] = [];
    want.parameters.forEach((parameter, index) => {
      const own = have.parameters[index] as ProtocolType;
      if (this.isSubtype(parameter, own)) return;
      const message = `must accept ${typeToText(parameter)} as parameter ${index + 1}, but accepts ${typeToText(own)}`;
      found.push(violation('wrong-parameter', message));
    });
    if (!this.isSubtype(have.result, want.result)) {
      const message = `must return ${typeToText(want.result)}, but returns ${typeToText(have.result)}`;
      found.push(violation('wrong-result', message));
    }
    return found;
  }

  /** Whether a value of type `own` is assignable to `wanted`. */
  isSubtype(own: ProtocolType, wanted: ProtocolType): boolean {
    this.#spend();
    if (wanted.kind === 'primitive') {
      if (wanted.name === 'any') return !(own.kind === 'primitive' && own.name === 'void');
      return own.kind === 'primitive' && own.name === wanted.name;
    }
    if (wanted.kind === 'function') {
      return (
        own.kind === 'function' &&
        own.parameters.length === wanted.parameters.length &&
        wanted.parameters.every((one, index) =>
          this.isSubtype(one, own.parameters[index] as ProtocolType),
        ) &&
        this.isSubtype(own.result, wanted.result)
      );
    }
    if (own.kind !== 'protocol') return false;
    return own.name === wanted.name || this.#protocols(own.name, wanted.name);
  }

  #protocols(own: string, wanted: string): boolean {
    const pair = `${own}<${wanted}`;
    if (this.#assumed.has(pair)) return true;
    const mark = this.#trail.push(pair) - 1;
    this.#assumed.add(pair);
    const have = this.#membersOf(own);
    for (const want of this.#membersOf(wanted).values()) {
      if (this.member(want, have.get(want.name)).length === 0) continue;
      // The results since then depend on an assumption that is false: discard them.
      for (const fallen of this.#trail.splice(mark)) this.#assumed.delete(fallen);
      return false;
    }
    return true;
  }
}
