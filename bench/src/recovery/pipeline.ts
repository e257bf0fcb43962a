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
const floor = fusedWithSharedTimer(TIMEOUT_MS);
const perAttempt = fused(TIMEOUT_MS);
const simple = naive(TIMEOUT_MS);

const wrapped = standard.wrap(answer);
const { signal } = new AbortController();
const named = { operation: 'bench' };

/**
 * The standard pipeline on its happy path, in the forms of a call. cockatiel reads no signal, and has no
 * names.
 */
export const pipelineRows: readonly Bench[] = [
  { group: GROUP, name: 'floor', floor: true, fn: () => floor(answer) },
  { group: GROUP, name: 'a timer and a controller per attempt', fn: () => perAttempt(answer) },
  { group: GROUP, name: 'naive: three functions', fn: () => simple(answer) },
  { group: GROUP, name: 'temper', aim: 1.5, fn: () => standard.execute(answer) },
  { group: GROUP, name: 'temper, wrapped', aim: 1.5, fn: () => wrapped() },
  { group: GROUP, name: 'temper, tryExecute', aim: 1.5, fn: () => standard.tryExecute(answer) },
  { group: GROUP, name: 'temper, named', aim: 1.5, fn: () => standard.execute(answer, named) },
  {
    group: GROUP,
    name: 'temper, signal given',
    aim: 1.5,
    fn: () => standard.execute(answer, { signal }),
  },
  {
    group: GROUP,
    name: 'temper, with a timeout',
    aim: 1.5,
    fn: () => standard.execute(answer, { timeoutMs: TIMEOUT_MS }),
  },
  { group: GROUP, name: 'cockatiel', fn: () => byDefault.execute(answer) },
  { group: GROUP, name: 'cockatiel, abortOnReturn: false', fn: () => tuned.execute(answer) },
];

const READ = 'retry + breaker + timeout, first try succeeds, signal read';

export const signalRows: readonly Bench[] = [
  { group: READ, name: 'floor', floor: true, fn: () => floor(answerBy) },
  { group: READ, name: 'temper', aim: 1.5, fn: () => standard.execute(answerBy) },
  { group: READ, name: 'cockatiel', fn: () => byDefault.execute(answerBy) },
  { group: READ, name: 'cockatiel, abortOnReturn: false', fn: () => tuned.execute(answerBy) },
];
