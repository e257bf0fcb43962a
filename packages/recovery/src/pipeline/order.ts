import type { PolicyDescription } from '@temper/core';

/** A policy of a pipeline, nested ones laid open, as far as it tells of itself. */
interface Layer {
  readonly policy: object;
  readonly name: string;
  readonly description: PolicyDescription;
}

/** Kinds that neither wait nor call again, so that two timeouts around one of them run side by side. */
const INERT: ReadonlySet<string> = new Set(['timeout', 'breaker']);

/**
 * Finds orders that can never work. Only what is certain counts: an order that is merely unusual
 * passes, and a policy that does not describe itself gets the benefit of the doubt.
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

/** What a policy tells of itself. */
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
  return [...repeated].map((name) => `'${name}' is in it twice, and would count each call twice.`);
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
  const within = `'${inner.name}' is inside '${outer.name}', which gives up after ${limit} ms`;
  const { firstDelayMs, repeats } = inner.description;
  if (repeats === true && firstDelayMs !== undefined && firstDelayMs >= limit) {
    return [`${within}: it waits ${firstDelayMs} ms first, and can never call again.`];
  }
  const problems: string[] = [];
  for (const own of [inner.description.timeoutMs, inner.description.attemptTimeoutMs]) {
    if (own !== undefined && own >= limit) {
      problems.push(`${within}: its own ${own} ms can never pass.`);
    }
  }
  if (problems.length > 0) return problems;
  const sideBySide = between.every(({ description }) => INERT.has(description.kind));
  if (inner.description.timeoutMs !== undefined && sideBySide) {
    return [
      `${within}: with nothing between them that waits or calls again, only '${inner.name}' can ever give up.`,
    ];
  }
  return [];
}
