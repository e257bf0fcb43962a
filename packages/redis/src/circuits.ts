import type {
  BreakerStore,
  FleetState,
  NodeReport,
  TrialGrant,
  TrialRequest,
  TrialResult,
} from '@temper/breaker/shared';
import type { Keys } from './keys.ts';
import type { RunScript } from './rate-limits.ts';
import { END_TRIAL, REPORT, TAKE_TRIAL } from './scripts/circuit.ts';

const US = 1000;

/** The shared circuits of `@temper/breaker` on a Redis server. */
export class RedisCircuits implements BreakerStore {
  readonly #run: RunScript;
  readonly #keys: Keys;

  constructor(run: RunScript, keys: Keys) {
    this.#run = run;
    this.#keys = keys;
  }

  async report(report: NodeReport): Promise<FleetState> {
    const { circuit, node, open, generation, openMs, ttlMs, quorum, minimumNodes } = report;
    const times = [us(openMs), us(ttlMs)];
    const args = [node, open ? 1 : 0, generation, ...times, quorum, minimumNodes];
    return fleetOf(await this.#run(REPORT, this.#key(circuit), args));
  }

  async takeTrial({ circuit, leaseMs }: TrialRequest): Promise<TrialGrant> {
    const reply = await this.#run(TAKE_TRIAL, this.#key(circuit), [us(leaseMs)]);
    const [verdict, lease, retryAfter, ...fleet] = reply as unknown[];
    return {
      verdict: String(verdict) as TrialGrant['verdict'],
      lease: lease === '' ? undefined : String(lease),
      retryAfterMs: Number(retryAfter) / US,
      fleet: fleetOf(fleet),
    };
  }

  async endTrial(result: TrialResult): Promise<FleetState> {
    const { circuit, lease, verdict, openMs, successThreshold } = result;
    const args = [lease, verdict, us(openMs), successThreshold];
    return fleetOf(await this.#run(END_TRIAL, this.#key(circuit), args));
  }

  #key(circuit: string): string {
    return this.#keys.of('circuit', circuit);
  }
}

/** Whole microseconds; a circuit that is open without an end is open for a hundred years. */
function us(ms: number): number {
  return Math.ceil(Math.min(ms, 3.2e12) * US);
}

function fleetOf(reply: unknown): FleetState {
  const [generation, state, remaining, nodes, openNodes] = reply as unknown[];
  return {
    generation: Number(generation),
    state: String(state) as FleetState['state'],
    remainingMs: Number(remaining) / US,
    nodes: Number(nodes),
    openNodes: Number(openNodes),
  };
}
