import { adjust } from '../rules/adjust.ts';
import { equalRules, replay, unitsIn } from '../rules/replay.ts';
import type { Rule, Usage } from '../rules/rule.ts';

/** The state of a key under a rule that it had before. */
interface Former {
  readonly rule: Rule;
  readonly state: Float64Array;
  /** When the rule was last in force. */
  askedAt: number;
}

/** Most rules that are kept for one key besides the present one. */
const MAX_FORMER = 7;

/**
 * The states of keys under rules that they had within the recovery of these: every call is charged to
 * them too. So a rule that comes back finds what was used meanwhile, and however often the rule of a key
 * changes, no more passes than the larger rule allows. As stores of shared limits do it.
 */
export class FormerRules {
  readonly #of = new Map<number, Former[]>();

  /** Moves the state of a key, at `at` of `state`, from one rule to another: what is in use stays. */
  change(slot: number, from: Rule, to: Rule, state: Float64Array, at: number, now: number): void {
    const formers = this.#alive(slot, now);
    if (from.usage(state, at, now).length === 0 && mostUsed(formers, now).length === 0) {
      // As in a store that keeps nothing of a key of which nothing is used: no rule binds another then.
      this.#of.delete(slot);
      to.reset(state, at, now);
      return;
    }
    formers.unshift({ rule: from, state: state.slice(at, at + from.slots), askedAt: now });
    const same = formers.findIndex(({ rule }) => equalRules(rule, to));
    if (same >= 0) state.set(formers.splice(same, 1)[0]!.state, at);
    else replay(to, state, at, now, mostUsed(formers, now));
    formers.splice(MAX_FORMER);
    this.#of.set(slot, formers);
  }

  /** Forgets them when nothing is in use under any of them, nor under the present one. */
  forgetUnused(slot: number, now: number, rule: Rule, state: Float64Array, at: number): void {
    if (!this.#of.has(slot) || rule.usage(state, at, now).length > 0) return;
    if (mostUsed(this.#alive(slot, now), now).length === 0) this.#of.delete(slot);
  }

  charge(slot: number, now: number, units: number): void {
    for (const { rule, state } of this.#alive(slot, now)) rule.charge(state, 0, now, units);
  }

  /** Charges or credits without a call. */
  adjust(slot: number, now: number, units: number): void {
    for (const { rule, state } of this.#alive(slot, now)) adjust(rule, state, 0, now, units);
  }

  /** What is in use under the rule of which most is used. */
  usage(slot: number, now: number, present: readonly Usage[]): readonly Usage[] {
    const former = mostUsed(this.#alive(slot, now), now);
    return unitsIn(former) > unitsIn(present) ? former : present;
  }

  forget(slot: number): void {
    this.#of.delete(slot);
  }

  /** The rules that still count. */
  #alive(slot: number, now: number): Former[] {
    const formers = this.#of.get(slot);
    if (formers === undefined) return [];
    const alive = formers.filter(({ rule, askedAt }) => now - askedAt <= rule.freshAfterMs);
    if (alive.length === 0) this.#of.delete(slot);
    else if (alive.length < formers.length) this.#of.set(slot, alive);
    return alive;
  }
}

function mostUsed(formers: readonly Former[], now: number): readonly Usage[] {
  let most: readonly Usage[] = [];
  for (const { rule, state } of formers) {
    const usage = rule.usage(state, 0, now);
    if (unitsIn(usage) > unitsIn(most)) most = usage;
  }
  return most;
}
