/** A request that the server answers with `null` at once. Other servers answer that they do not know it. */
export const HEARTBEAT = '$/parsercraft/heartbeat';
