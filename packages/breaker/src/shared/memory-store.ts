import { type Clock, systemClock } from '@temper/core';
import type {
  BreakerStore,
  FleetState,
  NodeReport,
  TrialGrant,
  TrialRequest,
  TrialResult,
} from './store.ts';

/** What is kept of a node's last report. */
interface NodeVerdict {
  readonly open: boolean;
  readonly openUntil: number;
  readonly validUntil: number;
}

interface SharedCircuit {
  generation: number;
  open: boolean;
  /** When the first trial may begin. */
  until: number;
  successes: number;
  lease: { readonly id: string; readonly until: number } | undefined;
  readonly nodes: Map<string, NodeVerdict>;
}

/** A {@link BreakerStore} inside one process, for tests; the reference for every other store. */
export class MemoryBreakerStore implements BreakerStore {
  readonly #clock: Clock;
  readonly #circuits = new Map<string, SharedCircuit>();
  #leases = 0;

  constructor(clock: Clock = systemClock) {
    this.#clock = clock;
  }

  async report(report: NodeReport): Promise<FleetState> {
    const now = this.#clock.monotonic();
    const circuit = this.#circuit(report.circuit);
    const { openMs, ttlMs, quorum, minimumNodes } = report;
    const open = report.open && report.generation >= circuit.generation;
    circuit.nodes.set(report.node, { open, openUntil: now + openMs, validUntil: now + ttlMs });
    const { nodes, openNodes } = census(circuit, now);
    if (!circuit.open && openNodes >= minimumNodes && openNodes > nodes * quorum) {
      const ends = [...circuit.nodes.values()].map((node) => (node.open ? node.openUntil : now));
      reopen(circuit, Math.max(...ends));
    }
    return stateOf(circuit, now);
  }

  async takeTrial({ circuit: name, leaseMs }: TrialRequest): Promise<TrialGrant> {
    const now = this.#clock.monotonic();
    const circuit = this.#circuit(name);
    const fleet = stateOf(circuit, now);
    if (!circuit.open) {
      return { verdict: 'alone', lease: undefined, retryAfterMs: 0, fleet };
    }
    const busyUntil = Math.max(circuit.until, circuit.lease?.until ?? 0);
    if (now < busyUntil) {
      return { verdict: 'refused', lease: undefined, retryAfterMs: busyUntil - now, fleet };
    }
    const id = String(++this.#leases);
    circuit.lease = { id, until: now + leaseMs };
    return { verdict: 'leased', lease: id, retryAfterMs: 0, fleet };
  }

  async endTrial(result: TrialResult): Promise<FleetState> {
    const now = this.#clock.monotonic();
    const circuit = this.#circuit(result.circuit);
    if (circuit.lease?.id === result.lease && now < circuit.lease.until) {
      circuit.lease = undefined;
      if (result.verdict === 'failure') reopen(circuit, now + result.openMs);
      if (result.verdict === 'success' && ++circuit.successes >= result.successThreshold) {
        close(circuit);
      }
    }
    return stateOf(circuit, now);
  }

  #circuit(name: string): SharedCircuit {
    let circuit = this.#circuits.get(name);
    if (circuit === undefined) {
      circuit = {
        generation: 0,
        open: false,
        until: 0,
        successes: 0,
        lease: undefined,
        nodes: new Map(),
      };
      this.#circuits.set(name, circuit);
    }
    return circuit;
  }
}

function reopen(circuit: SharedCircuit, until: number): void {
  circuit.generation++;
  circuit.open = true;
  circuit.until = until;
  circuit.successes = 0;
  circuit.lease = undefined;
}

/** Closes for all nodes; their reports from before no longer count. */
function close(circuit: SharedCircuit): void {
  circuit.generation++;
  circuit.open = false;
  circuit.successes = 0;
  for (const [node, verdict] of circuit.nodes) circuit.nodes.set(node, { ...verdict, open: false });
}

/** Counts the nodes with a valid report, and drops the others. */
function census(circuit: SharedCircuit, now: number): { nodes: number; openNodes: number } {
  let openNodes = 0;
  for (const [node, verdict] of circuit.nodes) {
    if (now >= verdict.validUntil) circuit.nodes.delete(node);
    else if (verdict.open) openNodes++;
  }
  return { nodes: circuit.nodes.size, openNodes };
}

function stateOf(circuit: SharedCircuit, now: number): FleetState {
  const { generation, open, until } = circuit;
  const state = !open ? 'closed' : now < until ? 'open' : 'half-open';
  return {
    generation,
    state,
    remainingMs: state === 'open' ? until - now : 0,
    ...census(circuit, now),
  };
}
