import { circuitBreaker } from '@temper/breaker';
import { pipeline, timeout } from '@temper/recovery';
import { retry } from '@temper/retry';
import type { Bench } from '../types.ts';
import { fused, fusedWithSharedTimer, naive } from './floor.ts';
import { cockatielPipeline } from './peers.ts';

const GROUP = 'retry + breaker + timeout, first try succeeds';
const TIMEOUT_MS = 5000;

const answer = async (): Promise<number> => 1;
const answerBy = async ({ signal }: { readonly signal: AbortSignal }): Promise<number> =>
  signal.aborted ? 0 : 1;

const standard = pipeline(
  { name: 'bench' },
  retry({ name: 'bench' }),
  circuitBreaker({ name: 'bench' }),
  timeout({ name: 'bench', timeoutMs: TIMEOUT_MS }),
);

const byDefault = cockatielPipeline(TIMEOUT_MS, true);
const tuned = cockatielPipeline(TIMEOUT_MS, false);
const floor = fused(TIMEOUT_MS);
const sharedTimer = fusedWithSharedTimer(TIMEOUT_MS);
const simple = naive(TIMEOUT_MS);

/** The standard pipeline on its happy path. */
export const pipelineRows: readonly Bench[] = [
  { group: GROUP, name: 'floor', floor: true, fn: () => floor(answer) },
  { group: GROUP, name: 'floor, timer shared', fn: () => sharedTimer(answer) },
  { group: GROUP, name: 'naive: three functions', fn: () => simple(answer) },
  { group: GROUP, name: 'temper', aim: 1.4, fn: () => standard.execute(answer) },
  { group: GROUP, name: 'temper, signal read', aim: 1.55, fn: () => standard.execute(answerBy) },
  { group: GROUP, name: 'cockatiel', fn: () => byDefault.execute(answer) },
  { group: GROUP, name: 'cockatiel, abortOnReturn: false', fn: () => tuned.execute(answer) },
];
