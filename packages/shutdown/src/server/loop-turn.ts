/**
 * Runs a callback in the next iteration of the event loop: that of the sockets, although a test may have
 * replaced the timers since.
 */
export const nextTurn: typeof setImmediate = globalThis.setImmediate;
