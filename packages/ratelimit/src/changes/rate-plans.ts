import { notify, numberRule, type OptionRule, reportCallbackError } from '@temper/core/policy';
import type { RuleKind } from '../rules/rule.ts';

/** What a key's own plan changes of the limit. What is absent stays as it is. */
export interface RatePlan {
  /** Units per window; finite and > 0 (for windows: >= 1). */
  readonly limit?: number | undefined;
  /** Length of the window, in milliseconds; finite and > 0. */
  readonly windowMs?: number | undefined;
  /** Depth of a bucket; finite and >= 1. Without it, the limiter's. */
  readonly burst?: number | undefined;
}

/** What a key's own plan changes of a concurrency limit. */
export interface PermitPlan {
  /** Most permits in use at the same time; an integer >= 1. */
  readonly limit?: number | undefined;
}

/** Finds the plan of a key; `undefined` for the limiter's own limit. */
export type PlanOf<P = RatePlan> = (key: string) => P | undefined;

const NAMES: readonly (keyof RatePlan)[] = ['limit', 'windowMs', 'burst'];

/** What a plan may hold, by name. */
type PlanRules = { readonly [K in keyof RatePlan]?: OptionRule };

const positive = numberRule({ min: 0, aboveMin: true, infinite: false });
const atLeastOne = numberRule({ min: 1, infinite: false });
const BUCKET: PlanRules = { limit: positive, windowMs: positive, burst: atLeastOne };
const WINDOW: PlanRules = { limit: atLeastOne, windowMs: positive };

/** What a plan for a rate limit of this kind may hold. */
export function rulesOfPlan(kind: RuleKind): PlanRules {
  return kind === 'token-bucket' || kind === 'gcra' ? BUCKET : WINDOW;
}

/**
 * The plans of keys. A plan is asked for with each call, so that it can change at any time. One that
 * throws, is a promise or is not allowed is logged, and has no effect.
 */
export class RatePlans {
  readonly #name: string;
  readonly #plan: PlanOf;
  readonly #rules: PlanRules;
  readonly #kind: string;

  /** @param rules - what a plan of this kind of limit may hold */
  constructor(name: string, plan: PlanOf, kind: string, rules: PlanRules) {
    this.#name = name;
    this.#plan = plan;
    this.#kind = kind;
    this.#rules = rules;
  }

  /** The plan of a key at present, checked. */
  of(key: string): RatePlan | undefined {
    let checked: RatePlan | undefined;
    notify(this.#name, 'plan', () => {
      const found: unknown = this.#plan(key);
      if (found === undefined) return found;
      if (typeof found !== 'object' || found === null) {
        throw new TypeError(`${this.#name}: plan must return an object or undefined.`);
      }
      if ('then' in found) {
        reportCallbackError(this.#name, 'plan', new TypeError('It must return at once.'));
        return found;
      }
      checked = this.#check(found);
      return undefined;
    });
    return checked;
  }

  #check({ limit, windowMs, burst }: RatePlan): RatePlan {
    const plan = { limit, windowMs, burst };
    for (const name of NAMES) {
      const value = plan[name];
      if (value === undefined) continue;
      const rule = this.#rules[name];
      if (rule === undefined) {
        throw new TypeError(`${this.#name}: plan.${name} has no meaning for '${this.#kind}'.`);
      }
      rule(this.#name, `plan.${name}`, value);
    }
    return plan;
  }
}
