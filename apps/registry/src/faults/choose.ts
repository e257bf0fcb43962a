import type { Fault, LatencyFault, TerminalFault } from './plan.ts';

/** The parts of a request that faults match. `route` is undefined when no route matches the URL. */
export interface FaultTarget {
  readonly method: string;
  readonly route: string | undefined;
}

/** The faults that apply to one request. */
export interface FaultDecision<F extends Fault> {
  readonly delayMs: number;
  readonly terminal: F | undefined;
  /** Every fault that hit, for counting. */
  readonly hits: readonly F[];
}

function inScope(fault: LatencyFault | TerminalFault, target: FaultTarget): boolean {
  if (fault.methods !== undefined && !fault.methods.includes(target.method)) return false;
  if (fault.routes === undefined) return true;
  return target.route !== undefined && fault.routes.includes(target.route);
}

/**
 * Chooses the faults for a request: every latency fault that hits adds its delay, and the first
 * other fault that hits determines the response. Random numbers are drawn only for faults in scope,
 * so other requests do not shift the sequence of a seeded plan.
 */
export function chooseFaults<F extends Fault>(
  faults: readonly F[],
  target: FaultTarget,
  random: () => number,
): FaultDecision<F & (LatencyFault | TerminalFault)> {
  type Hit = F & (LatencyFault | TerminalFault);
  let delayMs = 0;
  let terminal: Hit | undefined;
  const hits: Hit[] = [];
  for (const fault of faults) {
    if (fault.kind === 'refuse') continue;
    const scoped = fault as Hit;
    if (!inScope(scoped, target)) continue;
    if (scoped.kind !== 'latency' && terminal !== undefined) continue;
    const probability = scoped.probability ?? 1;
    if (probability < 1 && random() >= probability) continue;
    hits.push(scoped);
    if (scoped.kind === 'latency') delayMs += scoped.latencyMs + (scoped.jitterMs ?? 0) * random();
    else terminal = scoped;
  }
  return { delayMs, terminal, hits };
}

/**
 * A seeded pseudorandom generator (mulberry32), uniform in [0, 1).
 *
 * @see https://github.com/bryc/code/blob/master/jshash/PRNGs.md#mulberry32
 */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
