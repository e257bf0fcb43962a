import { type Clock, notify, OperationTimeoutError } from '@temper/core';
import type { CircuitStateName } from './circuit.ts';
import type { CircuitMachine } from './machine.ts';
import type { ResolvedBreakerOptions } from './options.ts';
import type { ResolvedSharedOptions } from './shared-options.ts';
import type { FleetState, TrialGrant, TrialResult } from './store.ts';

/** What a node's link to the fleet needs of the node's own circuit. */
export interface FleetNode {
  /** For how much longer the circuit is open, in milliseconds. */
  remainingMs(at: number): number;
  /** Opens, because the fleet has. False when the circuit does not take part just now. */
  follow(at: number, forMs: number): boolean;
  /** Closes, because the fleet has. */
  close(at: number): void;
}

/** What the link needs to know of the breaker's options. */
export interface FleetRules {
  readonly circuit: string;
  readonly successThreshold: number;
  readonly leaseMs: number;
}

/** A trial that may run. */
export interface Trial {
  readonly refused: boolean;
  /** Present when the whole fleet waits for its result. */
  readonly lease: string | undefined;
}

const ALONE: Trial = { refused: false, lease: undefined };

/** How a breaker takes part in the decisions of the fleet. Every failure of the store means: alone. */
export class Fleet {
  readonly #rules: FleetRules;
  readonly #options: ResolvedSharedOptions;
  readonly #clock: Clock;
  readonly #node: FleetNode;
  readonly #report: (error: unknown) => void;
  /** What the fleet was when last heard of. */
  last: FleetState | undefined;
  /** Failures of the store, late answers included. */
  errors = 0;
  /** Newest generation of the fleet that this node has acted on. */
  #known = 0;
  /** Whether the circuit is open because the fleet is, so that it closes when the fleet does. */
  #joined = false;
  /** Whether the circuit is open because of what this node saw itself. */
  #own = false;
  /** Grows with each change of the own circuit: an answer to a question from before it is void. */
  #epoch = 0;
  #asking = false;
  #nextReportAt = Number.NEGATIVE_INFINITY;
  #nextTrialAt = Number.NEGATIVE_INFINITY;
  #lease: string | undefined;
  #ending: Promise<void> | undefined;

  constructor(
    rules: FleetRules,
    options: ResolvedSharedOptions,
    clock: Clock,
    node: FleetNode,
    report: (error: unknown) => void,
  ) {
    this.#rules = rules;
    this.#options = options;
    this.#clock = clock;
    this.#node = node;
    this.#report = report;
  }

  get node(): string {
    return this.#options.node;
  }

  /** Call it whenever a call comes by: it reports when it is time to. */
  touch(at: number): void {
    if (at < this.#nextReportAt || this.#asking || this.#ending !== undefined) return;
    this.#nextReportAt = at + this.#options.reportIntervalMs;
    this.#asking = true;
    void this.#tell(at);
  }

  async #tell(at: number): Promise<void> {
    const { quorum, minimumNodes, nodeTtlMs } = this.#options;
    const epoch = this.#epoch;
    const openMs = this.#own ? this.#node.remainingMs(at) : 0;
    const fleet = await this.#bounded(() =>
      this.#options.store.report({
        circuit: this.#rules.circuit,
        node: this.#options.node,
        open: this.#own,
        generation: this.#known,
        openMs,
        ttlMs: Math.max(nodeTtlMs, openMs),
        quorum,
        minimumNodes,
      }),
    );
    this.#asking = false;
    const now = this.#clock.monotonic();
    if (fleet !== undefined && epoch === this.#epoch) this.#heed(fleet, now);
    // The node has changed its mind meanwhile.
    if (epoch !== this.#epoch) this.touch(now);
  }

  /** The own circuit has changed: the others want to know at once. */
  changed(to: CircuitStateName, byFleet: boolean, at: number): void {
    if (to === 'half-open') return; // time has passed, but nobody has changed his mind
    this.#epoch++;
    if (to === 'open') {
      this.#own ||= !byFleet;
    } else {
      this.#own = false;
      this.#joined = false;
    }
    if (byFleet) return;
    this.#nextReportAt = at;
    // Where a leased trial has made the change, its result is told first: the fleet's answer to a
    // report that overtook it would undo the change.
    if (this.#lease === undefined) this.touch(at);
  }

  /** How long a trial need not be asked for, in milliseconds, as it was refused just now. */
  waitMs(at: number): number {
    return Math.max(0, this.#nextTrialAt - at);
  }

  /**
   * Asks for the fleet's lease.
   *
   * @throws `signal.reason`, at once, when the signal aborts
   */
  async takeTrial(signal: AbortSignal | undefined): Promise<Trial> {
    let epoch = this.#epoch;
    let heard = false;
    const asked = this.#bounded(async () => {
      await this.#ending; // or the fleet would take the last trial to be running still
      epoch = this.#epoch;
      const grant = await this.#options.store.takeTrial({
        circuit: this.#rules.circuit,
        node: this.#options.node,
        leaseMs: this.#rules.leaseMs,
      });
      if (heard && grant.lease !== undefined) this.#giveBack(grant.lease);
      return grant;
    }, true);
    let grant: TrialGrant | undefined;
    try {
      grant = await orAbort(asked, signal);
    } finally {
      heard = true;
    }
    if (grant === undefined) return ALONE;
    const at = this.#clock.monotonic();
    if (epoch === this.#epoch) this.#heed(grant.fleet, at);
    if (grant.verdict === 'refused') {
      this.#nextTrialAt = at + Math.min(grant.retryAfterMs, this.#options.reportIntervalMs);
      return { refused: true, lease: undefined };
    }
    this.#lease = grant.lease;
    return { refused: false, lease: grant.lease };
  }

  /** Tells the fleet how a leased trial went. A lease that has been settled already is left alone. */
  endTrial(lease: string, verdict: TrialResult['verdict'], openMs: number): void {
    if (lease !== this.#lease) return;
    this.#lease = undefined;
    this.#ending = this.#settle(lease, verdict, openMs);
  }

  /** The trial that was leased has not ended in time. */
  trialTimedOut(openMs: number): void {
    if (this.#lease !== undefined) this.endTrial(this.#lease, 'failure', openMs);
  }

  async #settle(lease: string, verdict: TrialResult['verdict'], openMs: number): Promise<void> {
    const epoch = this.#epoch;
    const { circuit, successThreshold } = this.#rules;
    const { node } = this.#options;
    const fleet = await this.#bounded(() =>
      this.#options.store.endTrial({ circuit, node, lease, verdict, openMs, successThreshold }),
    );
    this.#ending = undefined;
    const now = this.#clock.monotonic();
    if (fleet !== undefined && epoch === this.#epoch) this.#heed(fleet, now);
    this.touch(now);
  }

  #giveBack(lease: string): void {
    this.#lease = lease;
    this.endTrial(lease, 'ignored', 0);
  }

  /** Does as the fleet does. */
  #heed(fleet: FleetState, at: number): void {
    this.last = fleet;
    if (fleet.generation === 0) {
      // The store knows nothing: from here on this node's own open time and trials decide.
      this.#known = 0;
      this.#joined = false;
      return;
    }
    if (fleet.generation < this.#known) return; // overtaken by a newer answer
    const news = fleet.generation > this.#known;
    this.#known = fleet.generation;
    if (fleet.state === 'closed') {
      if (this.#joined) this.#node.close(at);
    } else if (news || !this.#joined) {
      this.#joined = this.#node.follow(at, fleet.remainingMs);
    }
  }

  /**
   * The answer of the store; `undefined` when it fails or is late. Never rejects.
   *
   * @param waited - whether a call waits for it, so that the process must not end before
   */
  #bounded<T>(ask: () => Promise<T>, waited = false): Promise<T | undefined> {
    const { timeoutMs } = this.#options;
    return new Promise((resolve) => {
      let late = false;
      const fail = (error: unknown): void => {
        if (late) return;
        this.errors++;
        notify(this.#options.onStoreError, error, this.#report);
        resolve(undefined);
      };
      const timer = this.#clock.schedule(() => {
        fail(new OperationTimeoutError(this.#rules.circuit, timeoutMs));
        late = true;
      }, timeoutMs);
      if (!waited) timer.unref();
      // An async function turns what a faulty store throws at once into a rejection.
      (async () => ask())()
        .then(resolve, fail)
        .finally(() => timer.cancel());
    });
  }
}

/** The link of a breaker to its fleet, where its circuit is shared. */
export function joinFleet(
  { name, shared, clock, successThreshold, halfOpenMaxDurationMs }: ResolvedBreakerOptions,
  machine: CircuitMachine,
  report: (error: unknown) => void,
): Fleet | undefined {
  if (shared === undefined) return undefined;
  const node: FleetNode = {
    remainingMs: (at) => machine.remainingMs(at),
    follow: (at, forMs) => machine.follow(at, forMs),
    close: (at) => machine.close(at, 'fleet'),
  };
  const rules = { circuit: name, successThreshold, leaseMs: halfOpenMaxDurationMs };
  return new Fleet(rules, shared, clock, node, report);
}

function orAbort<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return promise;
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(signal.reason);
    if (signal.aborted) {
      onAbort();
      return;
    }
    signal.addEventListener('abort', onAbort, { once: true });
    promise.then((value) => {
      signal.removeEventListener('abort', onAbort);
      resolve(value);
    }, reject);
  });
}
