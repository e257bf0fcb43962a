/**
 * Marks a limiter that has a limit for each key by itself, such as a keyed or shared one: `keyed` must
 * not create one of those for each key. The same for every installed copy of this package.
 */
export const KEYED_BY_ITSELF: unique symbol = Symbol.for('temper.ratelimit.keyed');

/**
 * Marks a limiter with a rule, which `keyed` takes as a template from every copy of this package whose
 * rules have the same shape. The number changes with that shape.
 */
export const WITH_RULE: unique symbol = Symbol.for('temper.ratelimit.rule.2');

/**
 * Marks a limiter that can be asked together with others, made by any installed copy of this package in which
 * what its `joined` returns has the same shape. The number changes with that shape.
 */
export const JOINABLE: unique symbol = Symbol.for('temper.ratelimit.joinable.2');

/** Marks the limiters of a class. */
export function mark({ prototype }: { readonly prototype: object }, brand: symbol): void {
  Object.defineProperty(prototype, brand, { value: true });
}
