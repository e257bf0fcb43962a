import { type PlanOf, type RatePlan, RatePlans, rulesOfPlan } from '../changes/rate-plans.ts';
import type { StoreRule } from './store.ts';

/** The rule of each key: the limiter's, or what the key's plan makes of it. */
export class RulePlans {
  readonly #rule: StoreRule;
  readonly #plans: RatePlans | undefined;

  constructor(options: {
    readonly name: string;
    readonly rule: StoreRule;
    readonly plan?: PlanOf | undefined;
  }) {
    const { name, rule, plan } = options;
    this.#rule = rule;
    this.#plans = plan && new RatePlans(name, plan, rule.kind, rulesOfPlan(rule.kind));
  }

  /** The rule of a key at present. */
  of(key: string): StoreRule {
    const plan = key === '' ? undefined : this.#plans?.of(key);
    return plan === undefined ? this.#rule : planned(this.#rule, plan);
  }
}

function planned(rule: StoreRule, { limit, windowMs, burst }: RatePlan): StoreRule {
  return {
    ...rule,
    ...(limit === undefined ? {} : { limit }),
    ...(windowMs === undefined ? {} : { windowMs }),
    ...(burst === undefined ? {} : { burst }),
  } as StoreRule;
}
