import type { RatePlan } from '../changes/rate-plans.ts';
import type { Rule } from '../rules/rule.ts';

/** Most plans whose rules are remembered. Beyond that, keys of one plan may have equal rules of their own. */
const MAX_PLANS = 1000;

/** A rule, and the plan that it was made of. */
interface Planned {
  readonly windowMs: number | undefined;
  readonly burst: number | undefined;
  readonly rule: Rule;
  /** Another one of the same limit. */
  readonly next: Planned | undefined;
}

/** The rules that plans make of one rule: keys of the same plan share one. */
export class PlannedRules {
  readonly #rule: Rule;
  readonly #byLimit = new Map<number | undefined, Planned>();
  #plans = 0;

  constructor(rule: Rule) {
    this.#rule = rule;
  }

  of({ limit, windowMs, burst }: RatePlan): Rule {
    const known = this.#byLimit.get(limit);
    for (let each = known; each !== undefined; each = each.next) {
      if (each.windowMs === windowMs && each.burst === burst) return each.rule;
    }
    const rule = this.#rule.with({ limit, windowMs, burst });
    if (this.#plans === MAX_PLANS) {
      this.#byLimit.clear();
      this.#plans = 0;
    }
    this.#plans++;
    this.#byLimit.set(limit, { windowMs, burst, rule, next: this.#byLimit.get(limit) });
    return rule;
  }
}
