import type { Policy, ShouldHandle } from '@temper/core';
import { ask, askNumber, Listeners, notify, reportCallbackError } from '@temper/core/policy';
import { wilson } from './binomial.ts';
import { auditEventOf, type ChangeOutcome, type TuningChange } from './change.ts';
import type { Autotuner, CircuitChange, TuningReview } from './contract.ts';
import { CoolDowns } from './cool-downs.ts';
import { Episodes } from './episodes.ts';
import { Evidence } from './evidence.ts';
import { Guard, NEEDED_BEFORE, NEEDED_READINGS, Readings, usualOf } from './guard.ts';
import { type CallHost, CallObserver, TryObserver } from './observe.ts';
import {
  type AutotuneOptions,
  type ResolvedAutotuneOptions,
  resolveAutotuneOptions,
} from './options.ts';
import { checkCall, type RecordedCall } from './recorded-call.ts';
import { type Findings, findProposals, type Proposal } from './rules/rules.ts';
import { checkSettings, type TuningSettings } from './settings.ts';
import { AutotuneTelemetry } from './telemetry.ts';

/** Events of the past that are kept. */
const HISTORY = 50;
/** A step whose failures are surely more than this factor of the usual, and so much more, is no calm one. */
const UNUSUAL_FACTOR = 3;
const UNUSUAL_MORE = 0.05;
/** After so many such steps in a row they are the usual. */
const GIVE_IN = 60;

/** A change on trial. */
interface Trial {
  readonly proposal: Proposal;
  readonly before: TuningSettings;
  readonly guard: Guard;
  readonly seen: Evidence;
}

class Tuner implements Autotuner, CallHost {
  readonly name: string;
  readonly calls: Policy;
  readonly tries: Policy;
  readonly #options: ResolvedAutotuneOptions;
  readonly #telemetry: AutotuneTelemetry;
  readonly #listeners: Listeners<TuningChange>;
  readonly #recorders: Listeners<RecordedCall>;
  readonly #coolDowns: CoolDowns;
  readonly #episodes = new Episodes();
  readonly #evidence = new Evidence();
  // The last two steps: they are learned from when the one after them was calm.
  #pending = new Evidence();
  #current = new Evidence();
  #readings = new Readings();
  readonly #open = new Set<string>();
  readonly #changes: TuningChange[] = [];
  #settings: TuningSettings;
  #trial: Trial | undefined;
  #applying = false;
  #disturbed = false;
  #unusual = 0;
  #step: number;

  constructor(options: ResolvedAutotuneOptions) {
    this.#options = options;
    this.name = options.name;
    this.#settings = options.settings;
    this.calls = new CallObserver(this, options.clock);
    this.tries = new TryObserver(this, options.clock);
    this.#listeners = new Listeners(options.name, 'onChange', options.onChange);
    this.#recorders = new Listeners(options.name, 'onCall');
    this.#coolDowns = new CoolDowns(options.coolDownMs);
    this.#step = this.#now();
    this.#telemetry = new AutotuneTelemetry(this, options.telemetry);
  }

  get settings(): TuningSettings {
    return this.#settings;
  }

  get attemptTimeoutMs(): number | undefined {
    return this.#settings.attemptTimeoutMs;
  }

  get shouldHandle(): ShouldHandle {
    return this.#options.shouldHandle;
  }

  readonly stateChanged = ({ policy, to, reason }: CircuitChange): void => {
    if (to === 'closed') this.#open.delete(policy);
    else this.#open.add(policy);
    this.#disturbed ||= to !== 'closed';
    if (to === 'open' && reason !== 'forced') this.#episodes.opened();
    else if (reason === 'trials-succeeded') this.#episodes.closed();
    else if (to !== 'half-open') this.#episodes.broken();
    if (to === 'open') this.#undoFor('a circuit opened');
  };

  add(call: RecordedCall): void {
    this.#turn();
    this.#current.add(call);
    if (!this.#recorders.empty) this.#recorders.emit(call);
    const trial = this.#trial;
    if (trial === undefined || this.#applying) return;
    trial.seen.add(call);
    const verdict = trial.guard.add(call);
    if (verdict?.kind === 'fine') this.#keep(trial);
    else if (verdict?.kind === 'worse') this.#undo(trial, `${verdict.metric} became worse`);
    else if (verdict !== undefined) this.#undo(trial, 'it was not shown to be harmless');
  }

  record(call: RecordedCall): void {
    this.add(checkCall(this.name, call));
  }

  review(): TuningReview {
    this.#turn();
    return {
      name: this.name,
      status: this.#incident() ? 'incident' : this.#trial === undefined ? 'observing' : 'trial',
      settings: this.#settings,
      ...this.#find(),
      usual: usualOf(this.#evidence),
      trial: this.#trial?.proposal,
      changes: [...this.#changes],
    };
  }

  update(settings: TuningSettings): void {
    this.#settings = checkSettings(this.name, settings, this.#options.bounds);
    this.#trial = undefined;
    this.#learnAnew(true);
  }

  onCall(listener: (call: RecordedCall) => unknown): Disposable {
    return this.#recorders.add(listener);
  }

  onChange(listener: (change: TuningChange) => unknown): Disposable {
    return this.#listeners.add(listener);
  }

  [Symbol.dispose](): void {
    this.#telemetry[Symbol.dispose]();
  }

  #now(): number {
    return Math.floor(this.#options.clock.monotonic() / this.#options.stepMs);
  }

  #incident(): boolean {
    const { incident } = this.#options;
    return this.#open.size > 0 || (incident !== undefined && ask(this.name, 'incident', incident));
  }

  #find(): Findings {
    const { minBenefit, maxExtraLoad, bounds } = this.#options;
    return findProposals(
      {
        evidence: this.#evidence,
        episodes: this.#episodes,
        settings: this.#settings,
        minBenefit,
        maxExtraLoad,
      },
      bounds,
    );
  }

  /** Ends the steps that are over. */
  #turn(): void {
    const now = this.#now();
    if (now <= this.#step) return;
    this.#step = now;
    const incident = this.#incident();
    if (incident || this.#disturbed || this.#isUnusual()) {
      this.#pending.clear();
      this.#current.clear();
      if (incident) this.#undoFor('an incident began');
    } else {
      this.#evidence.merge(this.#pending);
      this.#pending.clear();
      [this.#pending, this.#current] = [this.#current, this.#pending];
      this.#readGuard();
      this.#act();
    }
    this.#disturbed = false;
  }

  /** Whether the step has failures that are not the usual ones: an incident that nobody has named. */
  #isUnusual(): boolean {
    const { failed, calls } = this.#current;
    const [, usual] = wilson(this.#evidence.failed, this.#evidence.calls);
    const [low] = wilson(failed, calls);
    const unusual = low > usual * UNUSUAL_FACTOR + UNUSUAL_MORE;
    this.#unusual = unusual ? this.#unusual + 1 : 0;
    if (this.#unusual < GIVE_IN) return unusual;
    this.#learnAnew(false);
    return true;
  }

  #readGuard(): void {
    const { guard } = this.#options;
    if (guard === undefined) return;
    const value = askNumber(this.name, 'guard', guard);
    if (value === undefined) return;
    if (this.#trial === undefined) this.#readings.add(value);
    else this.#trial.guard.read(value);
  }

  /** Makes the first change that may be made, where that is allowed. */
  #act(): void {
    const { apply, guard, clock } = this.#options;
    if (apply === undefined || this.#trial !== undefined || this.#applying) return;
    if (this.#evidence.calls < NEEDED_BEFORE) return;
    if (guard !== undefined && this.#readings.count < NEEDED_READINGS) return;
    const now = clock.monotonic();
    const proposal = this.#find().proposals.find(
      ({ setting, from, to }) => this.#coolDowns.until(setting, from, to, now) === undefined,
    );
    if (proposal === undefined) return;
    const before = this.#settings;
    const after = { ...before, [proposal.setting]: proposal.to };
    const trial = {
      proposal,
      before,
      guard: new Guard(this.#evidence, this.#readings, proposal.evidence['expectedExtraLoad']),
      seen: new Evidence(),
    };
    const change = this.#change('applied', trial, before, after, proposal.reason);
    this.#trial = trial;
    this.#put(after, change, (error) => {
      this.#trial = undefined;
      this.#coolDown(trial);
      const reason = 'apply failed';
      this.#tell({ ...this.#change('failed', trial, before, before, reason), error });
    });
  }

  /** Calls `apply`, and takes the settings for those in force when it has succeeded. */
  #put(settings: TuningSettings, change: TuningChange, failed: (error: unknown) => void): void {
    const { apply } = this.#options;
    const before = this.#settings;
    const done = (): void => {
      this.#applying = false;
      if (this.#settings !== before) return; // update() was called meanwhile
      this.#settings = settings;
      this.#learnAnew(change.setting === 'openDurationMs');
      this.#tell(change);
    };
    const threw = (error: unknown): void => {
      this.#applying = false;
      reportCallbackError(this.name, 'apply', error);
      failed(error);
    };
    this.#applying = true;
    try {
      const result: unknown = apply?.(settings, change);
      const isPlain = typeof result !== 'object' || result === null;
      if (!isPlain) void Promise.resolve(result).then(done).catch(threw);
      else done();
    } catch (error) {
      threw(error);
    }
  }

  #keep(trial: Trial): void {
    const { setting, from, to } = trial.proposal;
    this.#trial = undefined;
    this.#coolDowns.kept(setting, from, to, this.#options.clock.monotonic());
    this.#tell(this.#change('kept', trial, trial.before, this.#settings, 'nothing became worse'));
  }

  #undoFor(reason: string): void {
    if (this.#trial !== undefined && !this.#applying) this.#undo(this.#trial, reason);
  }

  #undo(trial: Trial, reason: string): void {
    this.#trial = undefined;
    this.#coolDown(trial);
    const tried = this.#settings;
    const change = this.#change('undone', trial, tried, trial.before, reason);
    this.#put(trial.before, change, (error) => {
      this.#tell({ ...this.#change('failed', trial, tried, tried, 'apply failed'), error });
    });
  }

  #coolDown({ proposal: { setting, from, to } }: Trial): void {
    this.#coolDowns.undone(setting, from, to, this.#options.clock.monotonic());
  }

  #learnAnew(episodes: boolean): void {
    this.#evidence.clear();
    this.#pending.clear();
    this.#current.clear();
    this.#readings = new Readings();
    this.#unusual = 0;
    if (episodes) this.#episodes.clear();
  }

  #change(
    outcome: ChangeOutcome,
    { proposal, guard, seen }: Trial,
    before: TuningSettings,
    after: TuningSettings,
    reason: string,
  ): TuningChange {
    return {
      name: this.name,
      outcome,
      at: this.#options.clock.now(),
      setting: proposal.setting,
      before,
      after,
      reason,
      evidence: proposal.evidence,
      usual: guard.before,
      trial: outcome === 'applied' ? undefined : usualOf(seen),
    };
  }

  #tell(change: TuningChange): void {
    this.#changes.push(change);
    if (this.#changes.length > HISTORY) this.#changes.shift();
    this.#telemetry.changed(change);
    const { audit } = this.#options;
    if (audit !== undefined) notify(this.name, 'audit', () => audit.record(auditEventOf(change)));
    this.#listeners.emit(change);
  }
}

/**
 * Creates a tuner for the policies around one dependency. It learns what each attempt, delay, hedge and
 * timeout brings, and proposes other settings within bounds, or makes the changes one by one and undoes
 * those that make something worse.
 *
 * ```ts
 * const tuner = autotune({
 *   name: 'registry',
 *   settings: { maxAttempts: 3, attemptTimeoutMs: 5000 },
 *   bounds: { maxAttempts: [1, 4], attemptTimeoutMs: [200, 10_000] },
 * });
 * const registry = pipeline({}, tuner.calls, retry({ attemptTimeoutMs: 5000 }), tuner.tries);
 * tuner.review().proposals;
 * ```
 *
 * @throws {TypeError | RangeError} when an option is unknown, of the wrong type or out of range
 */
export function autotune(options: AutotuneOptions): Autotuner {
  return new Tuner(resolveAutotuneOptions(options));
}
