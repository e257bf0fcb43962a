import {
  CallContext,
  type Clock,
  checkClock,
  checkKnown,
  checkName,
  type ExecutionContext,
  type Executor,
  type InCallExecutor,
  isCallContext,
  type Operation,
  type Policy,
  PolicyBase,
  type PolicyDescription,
  show,
  systemClock,
} from '@temper/core';
import { PipelineOrderError } from '../errors.ts';
import { descriptionOf, orderProblems } from './order.ts';

/** Options of {@link pipeline}. */
export interface PipelineOptions {
  /**
   * Names the pipeline in errors and lists.
   *
   * @defaultValue 'pipeline'
   */
  readonly name?: string;
  /** What the deadline of a call is measured by. @defaultValue the machine's clock */
  readonly clock?: Clock;
}

/** What a pipeline is made of, and how its policies are. */
export interface PipelineStats {
  /** Outermost first. */
  readonly policies: readonly {
    readonly name: string;
    /** `retry`, `timeout`, …; `policy` where it does not say. */
    readonly kind: string;
    /** The policy's own snapshot; `undefined` where it has none. */
    readonly stats: object | undefined;
  }[];
}

/** Policies as one. */
export interface PipelinePolicy extends Policy, InCallExecutor {
  /** Outermost first. */
  readonly policies: readonly Executor[];
  stats(): PipelineStats;
  /** What composers should know of this policy. */
  describe(): PolicyDescription;
}

/** Runs an operation through the rest of a pipeline. */
type Run = <T>(operation: Operation<T>, context: CallContext) => Promise<T>;

class Pipeline extends PolicyBase implements PipelinePolicy {
  readonly policies: readonly Executor[];
  /** Made once, so that a call costs one closure per layer and nothing else. */
  readonly #run: Run;

  constructor(name: string, clock: Clock, policies: readonly Executor[]) {
    super(name, clock);
    this.policies = policies;
    this.#run = compose(policies);
  }

  runInCall<T>(operation: Operation<T>, context: CallContext): Promise<T> {
    return this.#run(operation, context);
  }

  override describe(): PolicyDescription {
    return { kind: 'pipeline', parts: this.policies };
  }

  stats(): PipelineStats {
    return {
      policies: this.policies.map((policy) => {
        const { name, stats } = policy as Partial<Policy>;
        const { kind } = descriptionOf(policy);
        return { name: name ?? kind, kind, stats: stats?.call(policy) };
      }),
    };
  }

  [Symbol.dispose](): void {
    // The policies belong to whoever made them, and may serve elsewhere.
  }
}

const plainly: Run = async (operation, context) => operation(context);

function compose(policies: readonly Executor[]): Run {
  return policies.reduceRight<Run>(
    (inner, policy) => layer(policy, inner === plainly ? undefined : inner),
    plainly,
  );
}

/** One policy around the rest; without a rest, around the operation itself. */
function layer(policy: Executor, inner: Run | undefined): Run {
  if (!joinsCalls(policy)) return foreign(policy, inner ?? plainly);
  if (inner === undefined) return (operation, context) => policy.runInCall(operation, context);
  return (operation, context) =>
    policy.runInCall((each) => inner(operation, each as CallContext), context);
}

/** A policy that only has `execute`: it gets the call's context, and may hand on one of its own. */
function foreign(policy: Executor, inner: Run): Run {
  return async (operation, context) =>
    policy.execute((given) => inner(operation, adopt(given, context)), context);
}

/** The context that a foreign policy hands on, with what it does not know of taken from the call. */
function adopt(given: ExecutionContext | undefined, call: CallContext): CallContext {
  if (typeof given !== 'object' || given === null) return call;
  if (isCallContext(given)) return given;
  return new CallContext(
    given.attempt ?? call.attempt,
    given.deadline ?? call.deadline,
    call.operation,
    call.attributes,
    given.signal ?? call,
  );
}

function joinsCalls(policy: Executor): policy is Executor & InCallExecutor {
  return typeof (policy as Partial<InCallExecutor>).runInCall === 'function';
}

/**
 * Makes one policy of several, the outermost first, in one call path: one signal and one deadline
 * from end to end.
 *
 * ```ts
 * const registry = pipeline(
 *   { name: 'registry' },
 *   timeout({ name: 'total', timeoutMs: 30_000 }),
 *   retry({ name: 'registry' }),
 *   circuitBreaker({ name: 'registry' }),
 *   timeout({ name: 'attempt', timeoutMs: 2000 }),
 * );
 * const body = await registry.execute(({ signal }) => fetch(url, { signal }).then((r) => r.json()));
 * ```
 *
 * @param policies - anything with `execute`; policies of this family join the call under way
 * @throws {PipelineOrderError} at once, when the order is one in which some policy can never do its
 * work: the message names both policies and why
 * @throws {TypeError} at once, for an unknown option or a policy without `execute`
 */
export function pipeline(
  options: PipelineOptions,
  ...policies: readonly Executor[]
): PipelinePolicy {
  if (typeof (options as Partial<Executor> | undefined)?.execute === 'function') {
    throw new TypeError(
      'pipeline: the first argument is the options, such as { name }; got a policy.',
    );
  }
  checkKnown('pipeline', options, ['name', 'clock']);
  const name = checkName('pipeline', options.name ?? 'pipeline');
  for (const policy of policies as readonly unknown[]) {
    if (typeof (policy as Partial<Executor> | undefined)?.execute !== 'function') {
      throw new TypeError(
        `pipeline '${name}': a policy must have execute(operation), got ${show(policy)}.`,
      );
    }
  }
  const problems = orderProblems(policies);
  if (problems.length > 0) throw new PipelineOrderError(name, problems);
  return new Pipeline(name, checkClock('pipeline', options.clock ?? systemClock), policies);
}
