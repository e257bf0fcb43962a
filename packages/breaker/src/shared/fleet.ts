import { OperationTimeoutError } from '@temper/core';
import { type Call, notify } from '@temper/core/policy';
import type { Circuit } from '../circuit/circuit.ts';
import type { TransitionReason } from '../events.ts';
import type { Fleet, FleetNode, FleetTrial, SharedStats } from '../sharing.ts';
import type { ResolvedSharedCircuitOptions } from './options.ts';
import type { FleetState, TrialGrant, TrialResult } from './store.ts';

/** Whether a trial may run, and the lease to return if the whole fleet waits for its result. */
interface TrialPermit {
  readonly refused: boolean;
  readonly lease: string | undefined;
}

const ALONE: TrialPermit = { refused: false, lease: undefined };

/** A circuit's part in the decisions of the fleet. After each failure of the store it decides alone. */
export class StoreFleet implements Fleet {
  readonly #node: FleetNode;
  readonly #options: ResolvedSharedCircuitOptions;
  /** What the fleet was when last heard of. */
  last: FleetState | undefined;
  /** Failures of the store, late answers included. */
  errors = 0;
  /** Newest generation of the fleet that this node has acted on. */
  #known = 0;
  /** Whether the circuit is open because the fleet is, so that it closes with the fleet. */
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

  constructor(node: FleetNode, options: ResolvedSharedCircuitOptions) {
    this.#node = node;
    this.#options = options;
  }

  touch(at: number): void {
    if (at < this.#nextReportAt || this.#asking || this.#ending !== undefined) return;
    this.#nextReportAt = at + this.#options.reportIntervalMs;
    this.#asking = true;
    void this.#report(at);
  }

  async #report(at: number): Promise<void> {
    const { node, quorum, minimumNodes, nodeTtlMs } = this.#options;
    const epoch = this.#epoch;
    const { state, until } = this.#node.circuit(at);
    const openMs = this.#own && state === 'open' ? until - at : 0;
    const fleet = await this.#ask(() =>
      this.#options.store.report({
        circuit: this.#node.name,
        node,
        open: this.#own,
        generation: this.#known,
        openMs,
        ttlMs: Math.max(nodeTtlMs, openMs),
        quorum,
        minimumNodes,
      }),
    );
    this.#asking = false;
    const now = this.#node.clock.monotonic();
    if (fleet !== undefined && epoch === this.#epoch) this.#obey(fleet, now);
    // The circuit has changed meanwhile.
    if (epoch !== this.#epoch) this.touch(now);
  }

  changed(to: Pick<Circuit, 'state' | 'openMs'>, reason: TransitionReason, at: number): void {
    if (reason === 'trial-timed-out' && this.#lease !== undefined) {
      this.endTrial(this.#lease, 'failure', to.openMs);
    }
    if (to.state === 'half-open') return; // time has passed, and nothing else has happened
    this.#epoch++;
    const byFleet = reason === 'fleet';
    if (to.state === 'open') {
      this.#own ||= !byFleet;
    } else {
      this.#own = false;
      this.#joined = false;
    }
    if (byFleet) return;
    this.#nextReportAt = at;
    // Where a leased trial has changed the circuit, its result is sent first: the fleet's answer to a
    // report that overtook it would undo the change.
    if (this.#lease === undefined) this.touch(at);
  }

  waitMs(at: number): number {
    return Math.max(0, this.#nextTrialAt - at);
  }

  async runTrial<T>(call: Call, trial: FleetTrial<T>): Promise<T> {
    let permit: TrialPermit = { refused: true, lease: undefined };
    try {
      permit = await this.takeTrial(call.abortable);
    } finally {
      if (permit.refused) trial.withdraw();
    }
    if (permit.refused) return trial.enterAgain();
    // While the store was asked, the call may have been ended, and the circuit changed.
    if (!call.aborted && trial.isCurrent()) return trial.run(permit.lease);
    trial.withdraw();
    if (permit.lease !== undefined) this.endTrial(permit.lease, 'ignored', 0);
    if (call.aborted) throw call.reason;
    return trial.enterAgain();
  }

  /**
   * Asks for the fleet's lease.
   *
   * @throws `signal.reason`, at once, when the signal aborts
   */
  async takeTrial(signal: AbortSignal | undefined): Promise<TrialPermit> {
    const { name, halfOpenMaxDurationMs } = this.#node;
    let epoch = this.#epoch;
    const giveBack = (late: TrialGrant | undefined): void => {
      if (late?.lease !== undefined) this.#ending = this.#settle(late.lease, 'ignored', 0);
    };
    const asked = this.#ask(async () => {
      await this.#ending; // the store would still count the last trial as running
      epoch = this.#epoch;
      const { store, node } = this.#options;
      return store.takeTrial({ circuit: name, node, leaseMs: halfOpenMaxDurationMs });
    }, giveBack);
    let grant: TrialGrant | undefined;
    try {
      grant = await orAbort(asked, signal);
    } catch (error) {
      void asked.then(giveBack);
      throw error;
    }
    if (grant === undefined) return ALONE;
    const at = this.#node.clock.monotonic();
    if (epoch === this.#epoch) this.#obey(grant.fleet, at);
    if (grant.verdict === 'refused') {
      // At least a moment, so that a call that is refused does not ask again at once.
      const waitMs = Math.max(1, Math.min(grant.retryAfterMs, this.#options.reportIntervalMs));
      this.#nextTrialAt = at + waitMs;
      return { refused: true, lease: undefined };
    }
    this.#lease = grant.lease;
    return { refused: false, lease: grant.lease };
  }

  /** A lease that has been settled already is left alone. */
  endTrial(lease: string, verdict: TrialResult['verdict'], openMs: number): void {
    if (lease !== this.#lease) return;
    this.#lease = undefined;
    this.#ending = this.#settle(lease, verdict, openMs);
  }

  async #settle(lease: string, verdict: TrialResult['verdict'], openMs: number): Promise<void> {
    const epoch = this.#epoch;
    const { name: circuit, successThreshold } = this.#node;
    const { store, node } = this.#options;
    const result = { circuit, node, lease, verdict, openMs, successThreshold };
    const fleet = await this.#ask(() => store.endTrial(result));
    this.#ending = undefined;
    const now = this.#node.clock.monotonic();
    if (fleet !== undefined && epoch === this.#epoch) this.#obey(fleet, now);
    this.touch(now);
  }

  stats(): SharedStats {
    return { node: this.#options.node, fleet: this.last, storeErrors: this.errors };
  }

  /** Follows the fleet. */
  #obey(fleet: FleetState, at: number): void {
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
   * @param onLate - for a question that a call waits for, so that the process must not end before:
   * receives an answer that is late
   */
  #ask<T>(question: () => Promise<T>, onLate?: (answer: T) => void): Promise<T | undefined> {
    const { timeoutMs, onStoreError } = this.#options;
    const { name, clock } = this.#node;
    return new Promise((resolve) => {
      let late = false;
      const fail = (error: unknown): void => {
        if (late) return;
        this.errors++;
        notify(name, 'onStoreError', onStoreError, error);
        resolve(undefined);
      };
      const timer = clock.schedule(() => {
        fail(new OperationTimeoutError(name, timeoutMs));
        late = true;
      }, timeoutMs);
      if (onLate === undefined) timer.unref();
      const run = async (): Promise<void> => {
        try {
          const answer = await question();
          if (late) onLate?.(answer);
          else resolve(answer);
        } catch (error) {
          fail(error);
        } finally {
          timer.cancel();
        }
      };
      void run();
    });
  }
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
