import type { VerifyReport } from '@temper/audit';
import type { AuditTrail } from '../service/audit-trail.ts';

/** What was found when the log was last verified. */
interface Verification {
  readonly ok: boolean;
  readonly problem: VerifyReport['problem'];
  readonly events: number;
  readonly last: number;
  readonly checkpoints: VerifyReport['checkpoints'];
  /** Wall-clock time, in milliseconds since the epoch. */
  readonly at: number;
  readonly durationMs: number;
}

/** How old a verification may be that is given out: reading a whole log is work. */
const MAX_AGE_MS = 3_000;

/** Verifies the log when somebody asks, once for everybody who does. */
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
