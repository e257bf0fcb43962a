/**
 * The port through which the breakers of several processes decide together. `@temper/redis`
 * implements it; {@link memoryBreakerStore} is the reference that an implementation is held to.
 *
 * One bad node must not open the circuit of every other (Polly#287), so nodes share verdicts and not
 * a state: each judges by its own calls, opens alone, and reports. The store opens the fleet's
 * circuit when more than a quorum of the nodes that reported
 * lately have opened. It then hands out one lease at a time, so that one trial runs in the whole
 * fleet; the trials decide for all.
 *
 * Every method is one round trip, must be atomic per circuit, and goes by the store's own clock. None
 * of them is on the path of a call through a closed circuit. When one rejects or is late, the node
 * decides alone.
 */
export interface BreakerStore {
  /** Tells what this node thinks, and hears what the fleet does. */
  report(report: NodeReport): Promise<FleetState>;
  /** Asks for the fleet's trial lease. */
  takeTrial(request: TrialRequest): Promise<TrialGrant>;
  /** Tells how the leased trial ended, and gives the lease back. One that has expired is ignored. */
  endTrial(result: TrialResult): Promise<FleetState>;
}

/** Where a message comes from. */
export interface FleetMember {
  /** The breaker's name: the same on every node. */
  readonly circuit: string;
  /** Names the process, uniquely in the fleet. */
  readonly node: string;
}

/** One node's verdict. A later one replaces it. */
export interface NodeReport extends FleetMember {
  /** Whether this node has opened its circuit because of what it saw itself. */
  readonly open: boolean;
  /**
   * Newest {@link FleetState.generation} that this node has heard of. An `open` from before the last
   * change does not count: else a fleet that has just closed would be opened again by those who have
   * not heard yet.
   */
  readonly generation: number;
  /** For how much longer this node is going to be open, in milliseconds; 0 when it is not. */
  readonly openMs: number;
  /** How long the report is valid, in milliseconds. Then the node has no say any more. */
  readonly ttlMs: number;
  /** The fleet opens when more than this share of the nodes with a valid report are open, ... */
  readonly quorum: number;
  /** ... and at least so many. It then opens for the longest of their `openMs`. */
  readonly minimumNodes: number;
}

/** What the fleet thinks. */
export interface FleetState {
  /**
   * Grows by one each time the fleet's circuit opens or closes. 0 when the store knows of no opening,
   * be it that there was none or that it has lost its memory; a node then goes by itself.
   */
  readonly generation: number;
  /** `half-open`: the open time is over, and trials decide. */
  readonly state: 'closed' | 'open' | 'half-open';
  /** Until the first trial may begin, in milliseconds; 0 unless `open`. */
  readonly remainingMs: number;
  /** Nodes with a valid report. */
  readonly nodes: number;
  /** How many of them are open. */
  readonly openNodes: number;
}

export interface TrialRequest extends FleetMember {
  /** After so many milliseconds the lease is free again, whatever became of its holder. */
  readonly leaseMs: number;
}

export interface TrialGrant {
  /**
   * `leased`: the fleet's one trial is yours. `alone`: the fleet is not open; the trial is this
   * node's own affair. `refused`: the fleet is open still, or somebody else's trial is running.
   */
  readonly verdict: 'leased' | 'alone' | 'refused';
  /** Names the lease, when there is one. */
  readonly lease: string | undefined;
  /** When to ask again, in milliseconds, when refused. */
  readonly retryAfterMs: number;
  readonly fleet: FleetState;
}

export interface TrialResult extends FleetMember {
  readonly lease: string;
  /** `ignored` only gives the lease back. */
  readonly verdict: 'success' | 'failure' | 'ignored';
  /** A failure opens the fleet's circuit again for so long, in milliseconds. */
  readonly openMs: number;
  /** The fleet's circuit closes after so many successes in a row, whoever had them. */
  readonly successThreshold: number;
}
