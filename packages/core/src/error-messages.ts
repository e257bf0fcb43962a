import {
  BUSY,
  type Classification,
  DENIED,
  EXHAUSTED,
  INVALID,
  NETWORK,
  TIMEOUT,
} from './verdicts.ts';

/**
 * What the platforms' `fetch`, and the bodies of its responses, say of a failure of the network. They give
 * the error no code, and most of them the class `TypeError`, which is else a mistake of the program.
 */
const NETWORK_MESSAGES: readonly RegExp[] = [
  // Chromium; newer versions add the host
  /^Failed to fetch(?: \([^)]*\))?$/,
  /^network error$/i,
  // Firefox
  /^NetworkError when attempting to fetch resource\.?$/,
  /^Error in input stream$/,
  // Safari
  /^Load failed(?: \([^)]*\))?$/,
  /^The network connection was lost\.?$/,
  /^The Internet connection appears to be offline\.?$/,
  /^Could not connect to the server\.?$/,
  /^A server with the specified hostname could not be found\.?$/,
  // React Native
  /^Network request failed$/,
  // workerd
  /^Network connection lost\.?$/,
  /^internal error; reference = \w+$/,
  // Deno
  /^error sending request\b/,
  /^error reading a body from connection\b/,
  /^connection (?:closed before message completed|error)\b/,
  /^tcp connect error\b/,
  /^(?:Connection (?:refused|reset by peer|aborted)|Broken pipe|Network is unreachable|No route to host) \(os error \d+\)$/,
  // Bun, before it gave its errors the codes of Node
  /^Unable to connect\. Is the computer able to access the url\?$/,
  /^The socket connection was closed unexpectedly\./,
  // undici, whose code for it says nothing
  /^HTTP\/2: /,
  // axios
  /^stream has been aborted$/,
  // pg
  /^Connection terminated(?: unexpectedly)?$/,
  /^Client has encountered a connection error and is not queryable$/,
  // mysql2
  /^Can't add new command when connection is in closed state$/,
  // Redis, through each of its clients
  /^(?:READONLY You can't write|(?:LOADING|MASTERDOWN|CLUSTERDOWN|TRYAGAIN|NOREPLICAS) [A-Z]|(?:MOVED|ASK) \d+ )/,
  // ioredis
  /^Connection is closed\.$/,
  /^Stream isn't writeable and enableOfflineQueue options is false$/,
  // node-redis
  /^Socket closed unexpectedly$/,
  /^The client is offline$/,
];

const TIMEOUT_MESSAGES: readonly RegExp[] = [
  /^Connection timed out \(os error \d+\)$/,
  /^The request timed out\.?$/,
  /^Network request timed out$/,
  // pg and its pool
  /^Query read timeout$/,
  /^timeout e(?:xpired|xceeded when trying to connect)$/,
  /^Connection terminated due to connection timeout$/,
  // ioredis and node-redis
  /^Command timed out$/,
  /^Connection timeout$/,
];

/** Others of Redis, and of pools. */
const OTHER_MESSAGES: readonly (readonly [RegExp, Classification])[] = [
  [/^(?:BUSY Redis is busy|ERR max number of clients)/, BUSY],
  // mysql2
  [/^(?:No connections available|Queue limit reached)\.$/, BUSY],
  [/^(?:OOM command not allowed|MISCONF )/, EXHAUSTED],
  [/^(?:NOAUTH|WRONGPASS|NOPERM) /, DENIED],
  [
    /^(?:WRONGTYPE|NOSCRIPT|CROSSSLOT|EXECABORT|ERR (?:unknown|wrong number|syntax|value is|invalid)) ?/,
    INVALID,
  ],
];

/** Longest message that is looked at, in UTF-16 code units. */
const MAX_LENGTH = 500;

/** Recognises an error by its message alone, where a platform or client gives it nothing else. */
export function messageVerdict(message: unknown): Classification | undefined {
  if (typeof message !== 'string' || message.length > MAX_LENGTH) return undefined;
  const says = (pattern: RegExp): boolean => pattern.test(message);
  if (NETWORK_MESSAGES.some(says)) return NETWORK;
  if (TIMEOUT_MESSAGES.some(says)) return TIMEOUT;
  return OTHER_MESSAGES.find(([pattern]) => says(pattern))?.[1];
}
