import type { Members } from '../checks.ts';
import type { PortContext } from '../operation.ts';

/**
 * Code generation and type inference.
 *
 * @typeParam Program - what is compiled
 * @typeParam Code - what comes out
 * @typeParam Types - what inference finds
 */
export interface AstSubsystem<Program = unknown, Code = unknown, Types = unknown> {
  /** Generates code. Throws for an invalid program, and for one that it cannot express. */
  generateCode(program: Program, context: PortContext): Code | PromiseLike<Code>;
  /** Infers types. Throws for a program whose types do not fit. */
  inferTypes(program: Program, context: PortContext): Types | PromiseLike<Types>;
  /** A program that must compile, for the health check. */
  readonly probe: Program;
}

/**
 * Structural protocol checks.
 *
 * @typeParam Request - which types against which protocols
 * @typeParam Report - what was found
 */
export interface ProtocolSubsystem<Request = unknown, Report = unknown> {
  check(request: Request, context: PortContext): Report | PromiseLike<Report>;
  /**
   * The report for when no check can run: it says that these parts were not checked, and why.
   * Without it an operation that fails has no degraded answer. It gets as long as an attempt.
   */
  unchecked?(request: Request, reason: unknown): Report | PromiseLike<Report>;
  /** A request that must pass, for the health check. */
  readonly probe: Request;
}

/**
 * The package registry: the one subsystem that uses the network.
 *
 * @typeParam Package - what a fetch brings
 */
export interface RegistrySubsystem<Package = unknown> {
  fetchPackage(name: string, range: string, context: PortContext): Package | PromiseLike<Package>;
  /**
   * Whether everybody may have every package, so that a stale one that was fetched for one `key` may be
   * given to another.
   *
   * @defaultValue false
   */
  readonly isPublic?: boolean;
  /** Asks the registry for as little as shows that it answers. */
  probe(context: PortContext): unknown;
  /** Whether a returned value means failure, for a client that returns errors as values. */
  isFailure?(value: Package): boolean;
  /** The error that such a value stands for. @defaultValue its `error` */
  errorOf?(value: Package): unknown;
}

/**
 * The language server.
 *
 * @typeParam Params - what a request carries
 * @typeParam Answer - what comes back
 */
export interface LspSubsystem<Params = unknown, Answer = unknown> {
  request(method: string, params: Params, context: PortContext): Answer | PromiseLike<Answer>;
  /**
   * An answer from what was understood last, without the server; undefined when there is none.
   * It is given to the user marked as degraded. It gets as long as an attempt.
   */
  lastGood?(
    method: string,
    params: Params,
    key: string | undefined,
  ): Answer | undefined | PromiseLike<Answer | undefined>;
  /** Asks the server for as little as shows that it answers. */
  probe(context: PortContext): unknown;
}

/** The four subsystems of a ParserCraft. */
export interface Subsystems<
  Program = unknown,
  Code = unknown,
  Types = unknown,
  Request = unknown,
  Report = unknown,
  Package = unknown,
  Params = unknown,
  Answer = unknown,
> {
  readonly ast: AstSubsystem<Program, Code, Types>;
  readonly protocols: ProtocolSubsystem<Request, Report>;
  readonly registry: RegistrySubsystem<Package>;
  readonly lsp: LspSubsystem<Params, Answer>;
}

/** What each port must have, and may have, at construction. */
export const PORTS: Readonly<Record<'subsystems' | keyof Subsystems, Members>> = {
  subsystems: {
    ast: ['object', 'required'],
    protocols: ['object', 'required'],
    registry: ['object', 'required'],
    lsp: ['object', 'required'],
  },
  ast: {
    generateCode: ['function', 'required'],
    inferTypes: ['function', 'required'],
    probe: ['any', 'required'],
  },
  protocols: {
    check: ['function', 'required'],
    unchecked: ['function', 'optional'],
    probe: ['any', 'required'],
  },
  registry: {
    fetchPackage: ['function', 'required'],
    isPublic: ['boolean', 'optional'],
    probe: ['function', 'required'],
    isFailure: ['function', 'optional'],
    errorOf: ['function', 'optional'],
  },
  lsp: {
    request: ['function', 'required'],
    lastGood: ['function', 'optional'],
    probe: ['function', 'required'],
  },
};
