import type { PolicyDescription } from '@temper/core/policy';

/** A policy of a pipeline, as it describes itself. Nested pipelines are flattened. */
interface Layer {
  readonly policy: object;
  readonly name: string;
  readonly description: PolicyDescription;
}

/** Kinds that neither wait nor repeat: two timeouts around one of them measure the same time. */
const INERT: ReadonlySet<string> = new Set(['timeout', 'breaker']);

/**
 * Finds orders that can never work. Only certain mistakes count: an unusual order passes, and so does
 * a policy that does not describe itself.
 *
 * @param policies - outermost first
 * @returns one sentence for each mistake
 */
export function orderProblems(policies: readonly object[]): string[] {
  const layers = policies.flatMap(layersOf);
  return [...twice(layers), ...pairs(layers).flatMap(([a, b, between]) => clash(a, b, between))];
}

function layersOf(policy: object): Layer[] {
  const description = descriptionOf(policy);
  if (description.parts !== undefined) return description.parts.flatMap(layersOf);
  const { name } = policy as { name?: unknown };
  return [{ policy, name: typeof name === 'string' ? name : description.kind, description }];
}

/** A policy's description of itself. */
export function descriptionOf(policy: object): PolicyDescription {
  const { describe } = policy as { describe?: () => PolicyDescription };
  return typeof describe === 'function' ? describe.call(policy) : { kind: 'policy' };
}

function twice(layers: readonly Layer[]): string[] {
  const seen = new Set<object>();
  const repeated = new Set<string>();
  for (const { policy, name } of layers) {
    if (seen.has(policy)) repeated.add(name);
    seen.add(policy);
  }
  return [...repeated].map((name) => `'${name}' occurs twice, and would count each call twice.`);
}

type Pair = readonly [outer: Layer, inner: Layer, between: readonly Layer[]];

function pairs(layers: readonly Layer[]): Pair[] {
  return layers.flatMap((outer, i) =>
    layers.slice(i + 1).map((inner, j): Pair => [outer, inner, layers.slice(i + 1, i + 1 + j)]),
  );
}

function clash(outer: Layer, inner: Layer, between: readonly Layer[]): string[] {
  const { timeoutMs, attemptTimeoutMs } = outer.description;
  const limit = timeoutMs ?? attemptTimeoutMs;
  if (limit === undefined) return [];
  const within = `'${inner.name}' is inside '${outer.name}', which times out after ${limit} ms`;
  const { firstDelayMs, repeats } = inner.description;
  if (repeats === true && firstDelayMs !== undefined && firstDelayMs >= limit) {
    return [`${within}: its first delay is ${firstDelayMs} ms, so it can never retry.`];
  }
  const problems: string[] = [];
  for (const own of [inner.description.timeoutMs, inner.description.attemptTimeoutMs]) {
    if (own !== undefined && own >= limit) {
      problems.push(`${within}: its own timeout of ${own} ms can never expire.`);
    }
  }
  if (problems.length > 0) return problems;
  const sideBySide = between.every(({ description }) => INERT.has(description.kind));
  if (inner.description.timeoutMs !== undefined && sideBySide) {
    return [
      `${within}: nothing between them waits or retries, so only '${inner.name}' can ever time out.`,
    ];
  }
  return [];
}
