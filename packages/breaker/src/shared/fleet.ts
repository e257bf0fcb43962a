import { OperationTimeoutError } from '@temper/core';
import {
  type Call,
  type Listeners,
  listenForAbort,
  messageOf,
  type Scheduled,
  stopListening,
  warn,
} from '@temper/core/policy';
import type { Circuit } from '../circuit/circuit.ts';
import type { TransitionReason } from '../events.ts';
import type { Fleet, FleetNode, FleetTrial, SharedStats } from '../sharing.ts';
import type { ResolvedSharedCircuitOptions } from './options.ts';
import { decodeReply, readFleetState, readTrialGrant } from './replies.ts';
import type { FleetState, TrialGrant, TrialResult } from './store.ts';

/** Whether a trial may run, and the lease to return if the whole fleet waits for its result. */
interface TrialPermit {
  readonly refused: boolean;
  readonly lease: string | undefined;
}

/** Where a question to the store was asked: what has happened since decides what its answer is worth. */
interface Asked {
  /** An answer to a question from before a change of the own circuit is void. */
  readonly epoch: number;
  /** An answer may have been overtaken by those that came after the question. */
  readonly heard: number;
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
  /** The generation of the fleet that this node has acted on last. */
  #known = 0;
  /** Answers of the store that were heard. */
  #heard = 0;
  /** Whether the store failed when it was asked last. */
  #failing = false;
  /** Whether the circuit is open because the fleet is, so that it closes with the fleet. */
  #joined = false;
  /** The generation that this node decided about alone: the fleet could not be asked for a trial. */
  #alone: number | undefined;
  /** Whether the circuit is open because of what this node saw itself. */
  #own = false;
  /** Grows with each change of the own circuit. */
  #epoch = 0;
  #asking = false;
  #nextReportAt = Number.NEGATIVE_INFINITY;
  #nextTrialAt = Number.NEGATIVE_INFINITY;
  /** Leases of trials that have not ended. */
  readonly #leases = new Set<string>();
  /** Results of leased trials that are on their way to the store. */
  #ending: Promise<unknown> | undefined;

  readonly #storeErrors: Listeners<unknown>;

  constructor(
    node: FleetNode,
    options: ResolvedSharedCircuitOptions,
    storeErrors: Listeners<unknown>,
  ) {
    this.#node = node;
    this.#options = options;
    this.#storeErrors = storeErrors;
  }

  touch(at: number): void {
    if (at < this.#nextReportAt || this.#asking || this.#ending !== undefined) return;
    this.#nextReportAt = at + this.#options.reportIntervalMs;
    this.#asking = true;
    void this.#report(at);
  }

  async #report(at: number): Promise<void> {
    const { node, quorum, minimumNodes, nodeTtlMs } = this.#options;
    const { state, until } = this.#node.circuit(at);
    const openMs = this.#own && state === 'open' ? until - at : 0;
    const asked = this.#asked();
    const fleet = await this.#ask('report', readFleetState, () =>
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
    if (fleet !== undefined) this.#obey(fleet, now, asked);
    // The circuit has changed meanwhile.
    if (asked.epoch !== this.#epoch) this.touch(now);
  }

  changed(to: Pick<Circuit, 'state' | 'openMs'>, reason: TransitionReason, at: number): void {
    if (reason === 'trial-timed-out') {
      for (const lease of this.#leases) this.endTrial(lease, 'failure', to.openMs);
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
    if (this.#leases.size === 0) this.touch(at);
  }

  waitMs(at: number): number {
    return Math.max(0, this.#nextTrialAt - at);
  }

  async runTrial<T>(call: Call, trial: FleetTrial<T>): Promise<T> {
    let permit: TrialPermit = { refused: true, lease: undefined };
    try {
      permit = await call.awaitCapacity(() => this.takeTrial(call.abortable), this.#node.clock);
    } catch (error) {
      trial.ended();
      throw error;
    } finally {
      if (permit.refused) trial.withdraw();
    }
    if (permit.refused) return trial.enterAgain();
    // While the store was asked, the call may have been ended, and the circuit changed.
    if (!call.aborted && trial.isCurrent()) return trial.run(permit.lease);
    trial.withdraw();
    if (permit.lease !== undefined) this.endTrial(permit.lease, 'ignored', 0);
    if (!call.aborted) return trial.enterAgain();
    trial.ended();
    throw call.reason;
  }

  /**
   * Asks for the fleet's lease.
   *
   * @throws `signal.reason`, at once, when the signal aborts
   */
  async takeTrial(signal: AbortSignal | undefined): Promise<TrialPermit> {
    const { name, halfOpenMaxDurationMs } = this.#node;
    let since = this.#asked();
    const giveBack = (late: TrialGrant | undefined): void => {
      if (late?.lease !== undefined) void this.#settle(late.lease, 'ignored', 0);
    };
    const question = async (): Promise<unknown> => {
      await this.#ending; // the store would still count the last trial as running
      since = this.#asked();
      const { store, node } = this.#options;
      return store.takeTrial({ circuit: name, node, leaseMs: halfOpenMaxDurationMs });
    };
    const asked = this.#ask('takeTrial', readTrialGrant, question, giveBack);
    let grant: TrialGrant | undefined;
    try {
      grant = await orAbort(asked, signal);
    } catch (error) {
      void asked.then(giveBack);
      throw error;
    }
    this.#alone = grant === undefined ? this.#known : undefined;
    if (grant === undefined) return ALONE;
    const at = this.#node.clock.monotonic();
    this.#obey(grant.fleet, at, since);
    if (grant.verdict === 'refused') {
      // At least a moment, so that a call that is refused does not ask again at once.
      const waitMs = Math.max(1, Math.min(grant.retryAfterMs, this.#options.reportIntervalMs));
      this.#nextTrialAt = at + waitMs;
      return { refused: true, lease: undefined };
    }
    if (grant.lease !== undefined) this.#leases.add(grant.lease);
    return { refused: false, lease: grant.lease };
  }

  /** A lease that has been settled already is left alone. */
  endTrial(lease: string, verdict: TrialResult['verdict'], openMs: number): void {
    if (this.#leases.delete(lease)) void this.#settle(lease, verdict, openMs);
  }

  async #settle(lease: string, verdict: TrialResult['verdict'], openMs: number): Promise<void> {
    const { name: circuit, successThreshold } = this.#node;
    const { store, node } = this.#options;
    const result = { circuit, node, lease, verdict, openMs, successThreshold };
    const asked = this.#asked();
    const answer = this.#ask('endTrial', readFleetState, async () => store.endTrial(result));
    const ending = Promise.all([this.#ending, answer]);
    this.#ending = ending;
    const fleet = await answer;
    await ending;
    if (this.#ending === ending) this.#ending = undefined;
    const now = this.#node.clock.monotonic();
    if (fleet !== undefined) this.#obey(fleet, now, asked);
    this.touch(now);
  }

  stats(): SharedStats {
    return { node: this.#options.node, fleet: this.last, storeErrors: this.errors };
  }

  /** What has been heard when a question is asked now. */
  #asked(): Asked {
    return { epoch: this.#epoch, heard: this.#heard };
  }

  /**
   * Follows the fleet. A generation older than the last one is the truth where the store was asked after
   * that had been heard: the store has gone back, or the newer one was never true.
   */
  #obey(fleet: FleetState, at: number, asked: Asked): void {
    if (asked.epoch !== this.#epoch) return;
    if (fleet.generation > 0 && fleet.generation < this.#known && asked.heard !== this.#heard) {
      return; // overtaken by a newer answer
    }
    this.#heard++;
    this.last = fleet;
    if (fleet.generation === 0) {
      // The store knows nothing: from here on this node's own open time and trials decide.
      this.#known = 0;
      this.#joined = false;
      return;
    }
    const news = fleet.generation !== this.#known;
    this.#known = fleet.generation;
    if (fleet.state === 'closed') {
      if (this.#joined) this.#node.close(at);
    } else if (news || (!this.#joined && fleet.generation !== this.#alone)) {
      this.#joined = this.#node.follow(at, fleet.remainingMs);
    }
  }

  /**
   * The answer of the store; `undefined` when it fails, is late or is no answer. Never rejects.
   *
   * @param read - takes the reply apart; throws on anything that is no answer
   * @param onLate - for a question that a call waits for, so that the process must not end before:
   * receives an answer that is late
   */
  #ask<T>(
    method: 'report' | 'takeTrial' | 'endTrial',
    read: (reply: unknown) => T,
    question: () => Promise<unknown>,
    onLate?: (answer: T) => void,
  ): Promise<T | undefined> {
    const { timeoutMs } = this.#options;
    const { name, clock } = this.#node;
    return new Promise((resolve) => {
      let late = false;
      const fail = (error: unknown): void => {
        if (late) return;
        this.#storeFailed(error);
        resolve(undefined);
      };
      let timer: Scheduled | undefined;
      const run = async (): Promise<void> => {
        try {
          timer = clock.schedule(() => {
            fail(new OperationTimeoutError(name, timeoutMs));
            late = true;
          }, timeoutMs);
          if (onLate === undefined) timer.unref();
          const answer = decodeReply(name, method, await question(), read);
          if (late) onLate?.(answer);
          else {
            this.#failing = false;
            resolve(answer);
          }
        } catch (error) {
          fail(error);
        } finally {
          timer?.cancel();
        }
      };
      void run();
    });
  }

  #storeFailed(error: unknown): void {
    this.errors++;
    // Once per outage of the store: it is asked again and again.
    if (!this.#failing) {
      const what = `Circuit '${this.#node.name}' decides alone until its store answers`;
      warn(`${what}: ${messageOf(error)}`);
    }
    this.#failing = true;
    this.#storeErrors.emit(error);
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
    listenForAbort(signal, onAbort);
    const settled = (): void => stopListening(signal, onAbort);
    promise.then(settled, settled);
    promise.then(resolve, reject);
  });
}
