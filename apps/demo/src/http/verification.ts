import type { VerifyReport } from '@temper/audit';
import type { AuditTrail } from '../service/audit-trail.ts';

/** Result of a verification of the audit log. */
interface Verification {
  readonly ok: boolean;
  readonly problem: VerifyReport['problem'];
  readonly events: number;
  readonly last: number;
  readonly checkpoints: VerifyReport['checkpoints'];
  /** When it ended, in milliseconds since the epoch. */
  readonly at: number;
  readonly durationMs: number;
}

/** Results are cached for this time, in milliseconds, because verification reads the whole log. */
const MAX_AGE_MS = 3_000;

/** Verifies the log on demand. Concurrent callers share one verification. */
export class Verifier {
  readonly #trail: AuditTrail;
  #last: Verification | undefined;
  #running: Promise<Verification> | undefined;

  constructor(trail: AuditTrail) {
    this.#trail = trail;
  }

  async verify(): Promise<Verification> {
    if (this.#last !== undefined && Date.now() - this.#last.at < MAX_AGE_MS) return this.#last;
    this.#running ??= this.#verify().finally(() => {
      this.#running = undefined;
    });
    return this.#running;
  }

  async #verify(): Promise<Verification> {
    const startedAt = performance.now();
    const { ok, problem, events, last, checkpoints } = await this.#trail.verify();
    const durationMs = Math.round(performance.now() - startedAt);
    this.#last = { ok, problem, events, last, checkpoints, at: Date.now(), durationMs };
    return this.#last;
  }
}
