import { temperMetricProducer } from '@temper/core';
import type { Account } from './account.ts';
import type { Kind } from './kinds.ts';

/** Reads the counts of all policies of this process. Made before the first of them, so that it misses none. */
const producer = temperMetricProducer();

/** The metrics that count each call of a policy once, by how it ended. */
const CALLS = /^temper\.\w+\.(?:calls|operations|requests)$/;

interface Counted {
  readonly policy: { readonly name: string; [Symbol.dispose](): void };
  readonly account: Account;
  readonly kind: Kind;
}

/** Whether the metrics of policies count as many calls as their accounts. Ends the series of the policies. */
export async function metricProblems(layers: readonly Counted[]): Promise<string[]> {
  const { resourceMetrics } = await producer.collect();
  const counted = new Map<string, number>();
  for (const { metrics } of resourceMetrics.scopeMetrics) {
    for (const { descriptor, dataPoints } of metrics) {
      if (!CALLS.test(descriptor.name)) continue;
      for (const { attributes, value } of dataPoints) {
        const name = String(attributes['temper.policy.name']);
        counted.set(name, (counted.get(name) ?? 0) + (value as number));
      }
    }
  }
  for (const { policy } of layers) policy[Symbol.dispose]();
  return layers.flatMap(({ kind, policy: { name }, account: { calls } }) => {
    const count = counted.get(name) ?? 0;
    if (kind.metersCalls === false || count === calls) return [];
    return [`${name}: the metrics count ${count} calls, the account ${calls}`];
  });
}
