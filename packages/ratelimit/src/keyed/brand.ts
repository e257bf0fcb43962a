/**
 * Marks a limiter that has a limit for each key by itself, such as a keyed or shared one: `keyed` must
 * not create one of those for each key.
 */
export const KEYED_BY_ITSELF: unique symbol = Symbol.for('temper.ratelimit.keyed');
