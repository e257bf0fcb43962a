import { type Clock, type Executor, type Operation, type Policy, systemClock } from '@temper/core';
import {
  type Call,
  clockRule,
  type Defaults,
  type InCallExecutor,
  invoke,
  nameRule,
  noteReach,
  PolicyBase,
  type PolicyDescription,
  resolveOptions,
  show,
} from '@temper/core/policy';
import { PipelineOrderError } from '../errors.ts';
import { adopt } from './adopted-call.ts';
import { ForeignOptions } from './foreign-options.ts';
import { descriptionOf, nameOf, orderProblems } from './order.ts';

/** Options of {@link pipeline}. */
export interface PipelineOptions {
  /**
   * Names the pipeline in errors and lists.
   *
   * @defaultValue 'pipeline'
   */
  readonly name?: string;
  /** Measures the `timeoutMs` of calls. @defaultValue the system clock */
  readonly clock?: Clock;
}

const DEFAULTS: Defaults<PipelineOptions> = { name: 'pipeline', clock: systemClock };
const RULES = { name: nameRule, clock: clockRule };

/** The policies of a pipeline and their statistics. */
export interface PipelineStats {
  /** Outermost first. */
  readonly policies: readonly {
    readonly name: string;
    /** `retry`, `timeout`, …; `policy` when it does not say. */
    readonly kind: string;
    /** The policy's own snapshot; `undefined` when it has none. */
    readonly stats: object | undefined;
  }[];
}

/** Several policies that work as one. */
export interface PipelinePolicy extends Policy, InCallExecutor {
  /** Outermost first. */
  readonly policies: readonly Executor[];
  stats(): PipelineStats;
  /** What composers should know of this policy. */
  describe(): PolicyDescription;
}

/** Runs an operation through the rest of a pipeline. */
type Run = <T>(operation: Operation<T>, call: Call) => Promise<T>;

class Pipeline extends PolicyBase implements PipelinePolicy {
  readonly policies: readonly Executor[];
  /** Composed once, so that a call costs one closure per layer. */
  readonly #run: Run;

  constructor(name: string, clock: Clock, policies: readonly Executor[]) {
    super(name, clock);
    this.policies = policies;
    this.#run = compose(policies);
  }

  runInCall<T>(operation: Operation<T>, call: Call): Promise<T> {
    return this.#run(operation, call);
  }

  override describe(): PolicyDescription {
    return { kind: 'pipeline', parts: this.policies };
  }

  stats(): PipelineStats {
    return {
      policies: this.policies.map((policy) => {
        const { stats } = policy as Partial<Policy>;
        const { kind } = descriptionOf(policy);
        const own = typeof stats === 'function' ? stats.call(policy) : undefined;
        return { name: nameOf(policy) ?? kind, kind, stats: own };
      }),
    };
  }

  [Symbol.dispose](): void {
    // The policies belong to their creator, and may be in use elsewhere.
  }
}

function compose(policies: readonly Executor[]): Run {
  return policies.reduceRight<Run>(
    (inner, policy) => layer(policy, inner === invoke ? undefined : inner),
    invoke,
  );
}

/** One policy around the rest; without a rest, around the operation itself. */
function layer(policy: Executor, inner: Run | undefined): Run {
  if (!joinsCalls(policy)) return foreign(policy, inner ?? invoke);
  if (inner === undefined) return (operation, call) => policy.runInCall(operation, call);
  if (descriptionOf(policy).repeats !== true) {
    return (operation, call) => policy.runInCall((own) => inner(operation, own as Call), call);
  }
  return (operation, call) =>
    policy.runInCall((own) => {
      const attempt = own as Call;
      // What the first attempt costs is the call itself; the others are paid for, if the operation hears of them.
      const isFirst = attempt.attempt === 1 && attempt.hedge === 1;
      return inner(isFirst ? operation : noteReach(operation, attempt), attempt);
    }, call);
}

/** A policy that only has `execute`: it may pass on a context of its own. */
function foreign(policy: Executor, inner: Run): Run {
  return async (operation, call) => {
    const options = new ForeignOptions(call);
    const { given } = options;
    try {
      return await policy.execute((own) => inner(operation, adopt(own, call, given)), given);
    } finally {
      options.release();
    }
  };
}

function isExecutor(value: unknown): value is Executor {
  return typeof (value as Partial<Executor> | null | undefined)?.execute === 'function';
}

function joinsCalls(policy: Executor): policy is Executor & InCallExecutor {
  return typeof (policy as Partial<InCallExecutor>).runInCall === 'function';
}

/**
 * Composes policies, the outermost first, into one: one call with one signal and one deadline from end
 * to end. The cost, priority and key of a call reach every policy in it. The options may be left out.
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
 * @param policies - anything with `execute`. A policy of another library gets an `AbortSignal` as its
 * second argument, which has `signal`, `operation`, `attributes`, `cost`, `priority` and `key` as
 * properties, so that it can be read as options too. The context that it passes to the operation, if
 * any, is adopted.
 * @throws {PipelineOrderError} when some policy can never do its work in this order; the message names
 * both policies and the reason
 * @throws {TypeError} when an option is unknown, or a policy has no `execute`
 */
export function pipeline(...policies: readonly Executor[]): PipelinePolicy;
export function pipeline(
  options: PipelineOptions,
  ...policies: readonly Executor[]
): PipelinePolicy;
export function pipeline(...given: readonly (PipelineOptions | Executor)[]): PipelinePolicy {
  const named = given.length > 0 && !isExecutor(given[0]);
  const options = named ? (given[0] as PipelineOptions) : {};
  const policies = (named ? given.slice(1) : given) as readonly Executor[];
  const { name, clock } = resolveOptions<PipelineOptions>('pipeline', options, DEFAULTS, RULES);
  for (const policy of policies as readonly unknown[]) {
    if (!isExecutor(policy)) {
      throw new TypeError(
        `pipeline '${name}': a policy must have execute(operation, options), got ${show(policy)}.`,
      );
    }
  }
  const problems = orderProblems(policies);
  if (problems.length > 0) throw new PipelineOrderError(name, problems);
  return new Pipeline(name, clock, policies);
}
