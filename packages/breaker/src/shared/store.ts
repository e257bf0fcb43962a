/**
 * The port through which circuits of several processes decide together. `@temper/redis` implements it;
 * {@link MemoryBreakerStore} is the reference implementation.
 *
 * One bad node must not open the circuits of all others (Polly#287). Nodes therefore share reports and
 * not a state: each judges by its own calls, opens alone, and reports. The store opens the fleet's
 * circuit when more than a quorum of the nodes that reported lately are open. It then grants one lease
 * at a time, so that one trial runs in the whole fleet, and the trials decide for all.
 *
 * Every method is one round trip, must be atomic per circuit, and uses the store's own clock. None is on
 * the path of a call through a closed circuit. When one rejects or is late, the node decides alone.
 */
export interface BreakerStore {
  /** Stores a node's report, and returns the state of the fleet. */
  report(report: NodeReport): Promise<FleetState>;
  /** Grants or refuses the fleet's trial lease. */
  takeTrial(request: TrialRequest): Promise<TrialGrant>;
  /** Takes the result of a leased trial, and ends the lease. An expired lease is ignored. */
  endTrial(result: TrialResult): Promise<FleetState>;
}

/** Where a message comes from. */
interface FleetMember {
  /** The breaker's name, the same on every node. */
  readonly circuit: string;
  /** The name of the process, unique in the fleet. */
  readonly node: string;
}

/** The report of one node, which replaces its earlier ones. */
export interface NodeReport extends FleetMember {
  /** Whether this node has opened its circuit because of its own calls. */
  readonly open: boolean;
  /**
   * Newest {@link FleetState.generation} that this node knows. An `open` from before the last change
   * does not count: a fleet that has just closed would be opened again by nodes that do not know yet.
   */
  readonly generation: number;
  /** How much of this node's open time is left, in milliseconds; 0 when it is not open. */
  readonly openMs: number;
  /** How long the report counts, in milliseconds. */
  readonly ttlMs: number;
  /** The fleet opens when more than this share of the nodes with a valid report are open, ... */
  readonly quorum: number;
  /** ... and at least this many. It then opens for the longest of their `openMs`. */
  readonly minimumNodes: number;
}

/** The state of the fleet. */
export interface FleetState {
  /**
   * Grows by one each time the fleet's circuit opens or closes. 0 when the store knows of no opening,
   * because there was none or because it has lost its data; a node then decides alone.
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

/** A request for the trial lease. */
export interface TrialRequest extends FleetMember {
  /** After this many milliseconds the lease expires. */
  readonly leaseMs: number;
}

/** The answer to a {@link TrialRequest}. */
export interface TrialGrant {
  /**
   * `leased`: the node may run the fleet's one trial. `alone`: the fleet is not open, and the node
   * decides alone. `refused`: the fleet is still open, or another trial is running.
   */
  readonly verdict: 'leased' | 'alone' | 'refused';
  /** Names the lease, when there is one. */
  readonly lease: string | undefined;
  /** When to ask again after a refusal, in milliseconds. */
  readonly retryAfterMs: number;
  readonly fleet: FleetState;
}

/** How a leased trial ended. */
export interface TrialResult extends FleetMember {
  readonly lease: string;
  /** `ignored` only ends the lease. */
  readonly verdict: 'success' | 'failure' | 'ignored';
  /** A failure opens the fleet's circuit again for this long, in milliseconds. */
  readonly openMs: number;
  /** The fleet's circuit closes after this many successes in a row, on whatever nodes. */
  readonly successThreshold: number;
}
