import type { Member, Members } from './members.ts';
import { type ProtocolType, typeToText } from './type-expression.ts';

export type ViolationKind =
  | 'missing'
  | 'wrong-kind'
  | 'wrong-arity'
  | 'wrong-parameter'
  | 'wrong-result'
  | 'wrong-type'
  | 'not-writable'
  | 'only-optional';

/** One thing that keeps a type from conforming. */
export interface Violation {
  readonly kind: ViolationKind;
  readonly member: string;
  /** The protocol that demands the member: the one asked for, or one it extends. */
  readonly protocol: string;
  readonly message: string;
}

/** Ends a check that has used up its steps or its time. */
export class BudgetUsedUp extends Error {}

/** Decides whether types fit, by structure. Takes a step for every type it compares. */
export class Conformance {
  readonly #membersOf: (protocol: string) => Members;
  readonly #spend: () => void;
  /** Pairs found to fit, and pairs being compared further out, which are taken to fit (coinduction). */
  readonly #assumed = new Set<string>();
  readonly #trail: string[] = [];

  constructor(membersOf: (protocol: string) => Members, spend: () => void) {
    this.#membersOf = membersOf;
    this.#spend = spend;
  }

  /** What keeps `have`, or its absence, from being the member that is wanted. */
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
    if (have.kind !== want.kind) return [violation('wrong-kind', `is a ${have.kind} here`)];
    const found: Violation[] = [];
    if (have.optional && !want.optional)
      found.push(violation('only-optional', 'is only optional here'));
    if (have.readonly && !want.readonly)
      found.push(violation('not-writable', 'can only be read here'));
    if (want.type.kind === 'function' && have.type.kind === 'function' && want.kind === 'method') {
      return [...found, ...this.#method(want.type, have.type, violation)];
    }
    const fits =
      this.isSubtype(have.type, want.type) &&
      (want.readonly || this.isSubtype(want.type, have.type));
    if (!fits) {
      const how = want.readonly ? '' : 'exactly ';
      const message = `is ${typeToText(have.type)} here and must be ${how}${typeToText(want.type)}`;
      found.push(violation('wrong-type', message));
    }
    return found;
  }

  /** Parameters may take more than is wanted, results may be more than is wanted. */
  #method(
    want: Extract<ProtocolType, { kind: 'function' }>,
    have: Extract<ProtocolType, { kind: 'function' }>,
    violation: (kind: ViolationKind, message: string) => Violation,
  ): readonly Violation[] {
    if (want.parameters.length !== have.parameters.length) {
      const message = `takes ${have.parameters.length} parameters here and must take ${want.parameters.length}`;
      return [violation('wrong-arity', message)];
    }
    const found: Violation[] = [];
    want.parameters.forEach((parameter, index) => {
      const own = have.parameters[index] as ProtocolType;
      if (this.isSubtype(parameter, own)) return;
      const message = `takes ${typeToText(own)} as parameter ${index + 1} here and must take ${typeToText(parameter)}`;
      found.push(violation('wrong-parameter', message));
    });
    if (!this.isSubtype(have.result, want.result)) {
      const message = `gives ${typeToText(have.result)} here and must give ${typeToText(want.result)}`;
      found.push(violation('wrong-result', message));
    }
    return found;
  }

  /** Whether a value of type `own` can stand wherever `wanted` is asked for. */
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
      // What was found since rests on an assumption that has turned out false.
      for (const fallen of this.#trail.splice(mark)) this.#assumed.delete(fallen);
      return false;
    }
    return true;
  }
}
