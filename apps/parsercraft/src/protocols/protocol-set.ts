import { isWord } from '../lang/words.ts';
import { BudgetUsedUp, Conformance, type Violation } from './conformance.ts';
import type { ProtocolDefinition, Structure } from './definition.ts';
import { type ProtocolIssue, ProtocolValidationError } from './errors.ts';
import { type Member, type Members, namedIn, readMembers } from './members.ts';
import { PRIMITIVES, typeToText } from './type-expression.ts';

/** Maximum number of protocols, and of members per type. */
const MAX_PROTOCOLS = 1000;
const MAX_MEMBERS = 1000;
export const DEFAULT_PROTOCOL_STEPS = 100_000;

interface ConformanceOptions {
  /** The members to check. The report lists the others as unchecked. @defaultValue all */
  readonly only?: readonly string[];
  /** Maximum number of type comparisons; then the check is partial. @defaultValue 100_000 */
  readonly maxSteps?: number;
  /** Called before each member. When it returns true the check stops, for example at a deadline. */
  readonly isOver?: () => boolean;
}

export interface ConformanceReport {
  readonly protocol: string;
  /** `unknown` when no violation was found but not every member was checked. */
  readonly verdict: 'conforms' | 'violates' | 'unknown';
  readonly violations: readonly Violation[];
  readonly checked: readonly string[];
  /** The members that were not checked, because of a limit or of `only`. */
  readonly unchecked: readonly string[];
}

/** A validated set of protocols. */
export class ProtocolSet {
  readonly #members = new Map<string, Members>();

  /** @throws {ProtocolValidationError} with every issue: unknown names, cycles, conflicts */
  constructor(definitions: readonly ProtocolDefinition[]) {
    const issues: ProtocolIssue[] = [];
    if (definitions.length > MAX_PROTOCOLS) {
      const message = `there are ${definitions.length} protocols; the maximum is ${MAX_PROTOCOLS}`;
      throw new ProtocolValidationError([{ kind: 'too-many', path: '', message }]);
    }
    const byName = namedDefinitions(definitions, issues);
    checkExtends(byName, issues);
    if (issues.length > 0) throw new ProtocolValidationError(issues);
    for (const { name } of byName.values()) this.#inherit(name, byName, issues);
    for (const [name, members] of this.#members) this.#checkNames(name, members, issues);
    if (issues.length === 0) this.#checkOverrides(byName, issues);
    if (issues.length > 0) throw new ProtocolValidationError(issues);
  }

  get names(): readonly string[] {
    return [...this.#members.keys()];
  }

  /** The members of a protocol, including inherited ones. */
  membersOf(protocol: string): Members {
    const members = this.#members.get(protocol);
    if (members !== undefined) return members;
    const message = `unknown protocol '${protocol}'`;
    throw new ProtocolValidationError([{ kind: 'unknown-protocol', path: protocol, message }]);
  }

  /**
   * Checks whether a type conforms to a protocol.
   *
   * @throws {ProtocolValidationError} when the protocol is unknown, or the type is invalid
   */
  check(
    name: string,
    structure: Structure,
    protocol: string,
    options: ConformanceOptions = {},
  ): ConformanceReport {
    const wanted = [...this.membersOf(protocol).values()];
    const issues: ProtocolIssue[] = [];
    const have = readMembers(name, structure, (issue) => issues.push(issue));
    this.#checkNames(name, have, issues);
    if (issues.length > 0) throw new ProtocolValidationError(issues);

    let steps = options.maxSteps ?? DEFAULT_PROTOCOL_STEPS;
    const conformance = new Conformance(
      (other) => this.membersOf(other),
      () => {
        steps -= 1;
        if (steps < 0) throw new BudgetUsedUp();
      },
    );
    const violations: Violation[] = [];
    const checked: string[] = [];
    const unchecked: string[] = [];
    let over = false;
    for (const member of wanted) {
      over ||= options.isOver?.() ?? false;
      const asked = options.only?.includes(member.name) ?? true;
      const found = over || !asked ? undefined : attempt(conformance, member, have);
      if (found === undefined) {
        over ||= asked;
        unchecked.push(member.name);
      } else {
        checked.push(member.name);
        violations.push(...found);
      }
    }
    const clean = unchecked.length === 0 ? 'conforms' : 'unknown';
    const verdict = violations.length > 0 ? 'violates' : clean;
    return { protocol, verdict, violations, checked, unchecked };
  }

  /** Merges declared and inherited members. A declared member overrides an inherited one. */
  #inherit(
    name: string,
    byName: ReadonlyMap<string, ProtocolDefinition>,
    issues: ProtocolIssue[],
  ): Members {
    const before = this.#members.get(name);
    if (before !== undefined) return before;
    const definition = byName.get(name) as ProtocolDefinition;
    const members = new Map<string, Member>();
    for (const parent of definition.extends ?? []) {
      for (const [key, member] of this.#inherit(parent, byName, issues)) {
        if (!members.has(key)) members.set(key, member);
      }
    }
    const own = readMembers(name, definition, (issue) => issues.push(issue));
    for (const [key, member] of own) members.set(key, member);
    if (members.size > MAX_MEMBERS) {
      const message = `has ${members.size} members; the maximum is ${MAX_MEMBERS}`;
      issues.push({ kind: 'too-many', path: name, message });
    }
    this.#members.set(name, members);
    return members;
  }

  #checkNames(name: string, members: Members, issues: ProtocolIssue[]): void {
    for (const member of members.values()) {
      if (member.origin !== name) continue;
      for (const other of namedIn(member.type)) {
        if (this.#members.has(other)) continue;
        const message = `unknown protocol '${other}'`;
        issues.push({ kind: 'unknown-protocol', path: `${name}.${member.name}`, message });
      }
    }
  }

  /** Checks that a protocol conforms to each protocol it extends. */
  #checkOverrides(byName: ReadonlyMap<string, ProtocolDefinition>, issues: ProtocolIssue[]): void {
    for (const { name, extends: parents = [] } of byName.values()) {
      const have = this.membersOf(name);
      for (const parent of parents) {
        let steps = DEFAULT_PROTOCOL_STEPS;
        const conformance = new Conformance(
          (other) => this.membersOf(other),
          () => {
            steps -= 1;
            if (steps < 0) throw new BudgetUsedUp();
          },
        );
        for (const want of this.membersOf(parent).values()) {
          const own = have.get(want.name);
          if (own === want) continue;
          const [violation] = attempt(conformance, want, have) ?? [];
          if (violation === undefined) continue;
          const from = own === undefined || own.origin === name ? '' : ` (from ${own.origin})`;
          const text = own === undefined ? '' : `, declared as ${typeToText(own.type)}${from}`;
          const message = `conflicts with ${parent}: ${violation.message}${text}`;
          issues.push({ kind: 'member-conflict', path: `${name}.${want.name}`, message });
        }
      }
    }
  }
}

function attempt(
  conformance: Conformance,
  member: Member,
  have: Members,
): readonly Violation[] | undefined {
  try {
    return conformance.member(member, have.get(member.name));
  } catch (error) {
    if (error instanceof BudgetUsedUp) return undefined;
    throw error;
  }
}

function namedDefinitions(
  definitions: readonly ProtocolDefinition[],
  issues: ProtocolIssue[],
): ReadonlyMap<string, ProtocolDefinition> {
  const byName = new Map<string, ProtocolDefinition>();
  for (const definition of definitions) {
    const { name } = definition;
    if (!isWord(name) || name === 'fn' || (PRIMITIVES as readonly string[]).includes(name)) {
      issues.push({ kind: 'bad-name', path: name, message: 'is not a valid protocol name' });
    } else if (byName.has(name)) {
      issues.push({ kind: 'duplicate-protocol', path: name, message: 'is declared twice' });
    } else byName.set(name, definition);
  }
  return byName;
}

/** Reports unknown parents, and each cycle once with its full path. */
function checkExtends(
  byName: ReadonlyMap<string, ProtocolDefinition>,
  issues: ProtocolIssue[],
): void {
  const finished = new Set<string>();
  const walk = (name: string, way: readonly string[]): void => {
    if (finished.has(name)) return;
    const at = way.indexOf(name);
    if (at !== -1) {
      const cycle = [...way.slice(at), name].join(' → ');
      issues.push({ kind: 'extends-cycle', path: name, message: `extends itself: ${cycle}` });
      return;
    }
    for (const parent of byName.get(name)?.extends ?? []) {
      if (byName.has(parent)) walk(parent, [...way, name]);
      else {
        const message = `extends '${parent}', which is not a protocol`;
        issues.push({ kind: 'unknown-protocol', path: name, message });
      }
    }
    finished.add(name);
  };
  for (const name of byName.keys()) walk(name, []);
}
