import type { Socket } from 'node:net';
import type { Listener } from '../listener.ts';
import { chooseFaults, type FaultDecision, type FaultTarget, seededRandom } from './choose.ts';
import type { Fault, FaultPlan, FaultStatus, LatencyFault, TerminalFault } from './plan.ts';

/** An active fault. */
type ActiveFault<F extends Fault = Fault> = F & {
  hits: number;
  readonly expiresAt: number | undefined;
  /** Aborted when the fault ends; releases the requests waiting in it. */
  readonly ended: AbortController;
};
export type ActiveDecision = FaultDecision<ActiveFault & (LatencyFault | TerminalFault)>;

/**
 * The active faults. Expires faults with a duration through a single timer, which exists only while
 * such a fault is active.
 */
export class ActiveFaults {
  readonly #listener: Listener;
  #active: ActiveFault[] = [];
  #seed: number | undefined;
  #random: () => number = Math.random;
  #timer: NodeJS.Timeout | undefined;

  constructor(listener: Listener) {
    this.#listener = listener;
  }

  /**
   * Replaces the active plan.
   *
   * @param except the connection of the request, which a `refuse` fault does not break
   */
  async apply(plan: FaultPlan, except?: Socket): Promise<void> {
    this.#endAll();
    const now = performance.now();
    this.#seed = plan.seed;
    this.#random = plan.seed === undefined ? Math.random : seededRandom(plan.seed);
    this.#active = plan.faults.map((fault) => ({
      ...fault,
      hits: 0,
      expiresAt: fault.durationMs === undefined ? undefined : now + fault.durationMs,
      ended: new AbortController(),
    }));
    await this.#settle(except);
  }

  /** Ends all faults and breaks hanging requests. Resolves when the port is open. */
  async clear(): Promise<void> {
    this.#endAll();
    await this.#settle();
  }

  /** Ends all faults without reopening the port, for process shutdown. */
  stop(): void {
    this.#endAll();
    clearTimeout(this.#timer);
  }

  /** Decides which faults apply to a request, and counts the hits. */
  decide(target: FaultTarget): ActiveDecision {
    const decision = chooseFaults(this.#alive(), target, this.#random);
    for (const fault of decision.hits) fault.hits += 1;
    return decision;
  }

  status(): FaultStatus {
    const now = performance.now();
    return {
      listening: this.#listener.listening,
      ...(this.#seed === undefined ? {} : { seed: this.#seed }),
      faults: this.#alive().map(({ ended: _ended, expiresAt, ...fault }) => ({
        ...fault,
        remainingMs: expiresAt === undefined ? null : Math.ceil(expiresAt - now),
      })),
    };
  }

  #alive(): ActiveFault[] {
    const now = performance.now();
    return this.#active.filter((fault) => fault.expiresAt === undefined || fault.expiresAt > now);
  }

  #endAll(): void {
    for (const fault of this.#active) fault.ended.abort();
    this.#active = [];
  }

  /** Updates the port and the timer to match the active faults. */
  async #settle(except?: Socket): Promise<void> {
    const alive = this.#alive();
    for (const fault of this.#active) if (!alive.includes(fault)) fault.ended.abort();
    this.#active = alive;
    clearTimeout(this.#timer);
    const next = Math.min(...alive.map((fault) => fault.expiresAt ?? Number.POSITIVE_INFINITY));
    if (Number.isFinite(next)) {
      this.#timer = setTimeout(() => void this.#settle(), Math.max(1, next - performance.now()));
    }
    if (alive.some((fault) => fault.kind === 'refuse')) this.#listener.refuse(except);
    else await this.#listener.reopen();
  }
}
