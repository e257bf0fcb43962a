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
import { ReplyReader } from './replies.ts';
import { END_TRIAL, REPORT, TAKE_TRIAL } from './scripts/circuit.ts';

const US = 1000;

const VERDICTS: readonly TrialGrant['verdict'][] = ['leased', 'refused', 'alone'];
const STATES: readonly FleetState['state'][] = ['closed', 'open', 'half-open'];

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
    return fleetOf('report', await this.#run(REPORT, this.#key(circuit), args));
  }

  async takeTrial({ circuit, leaseMs }: TrialRequest): Promise<TrialGrant> {
    const reply = await this.#run(TAKE_TRIAL, this.#key(circuit), [us(leaseMs)]);
    const read = new ReplyReader('takeTrial');
    const [verdict, lease, retryAfter, ...fleet] = read.list(reply, 8);
    return {
      verdict: read.word(verdict, VERDICTS),
      lease: lease === '' ? undefined : read.text(lease),
      retryAfterMs: read.number(retryAfter) / US,
      fleet: fleetOf('takeTrial', fleet),
    };
  }

  async endTrial(result: TrialResult): Promise<FleetState> {
    const { circuit, lease, verdict, openMs, successThreshold } = result;
    const args = [lease, verdict, us(openMs), successThreshold];
    return fleetOf('endTrial', await this.#run(END_TRIAL, this.#key(circuit), args));
  }

  #key(circuit: string): string {
    return this.#keys.of('circuit', circuit);
  }
}

/** Whole microseconds; a circuit that is open without an end is open for a hundred years. */
function us(ms: number): number {
  return Math.ceil(Math.min(ms, 3.2e12) * US);
}

function fleetOf(script: string, reply: unknown): FleetState {
  const read = new ReplyReader(script);
  const [generation, state, remaining, nodes, openNodes] = read.list(reply, 5);
  return {
    generation: read.number(generation),
    state: read.word(state, STATES),
    remainingMs: read.number(remaining) / US,
    nodes: read.number(nodes),
    openNodes: read.number(openNodes),
  };
}
