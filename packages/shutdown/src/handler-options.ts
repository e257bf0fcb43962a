import { checkKnown, checkName, checkNumber, checkOneOf, checkType } from '@temper/core';
import type { ResolvedShutdownOptions } from './options.ts';
import type { Handler, HandlerContext } from './runner.ts';
import type { TellUpgraded, WebSocketServerLike } from './server/upgrades.ts';

/** Something to do before the process ends. */
export interface ShutdownHandler {
  /** For spans, report and log. @defaultValue the function's name, else `handler` and a number */
  readonly name?: string;
  /** Does it. Any callable; what it returns is awaited, and otherwise ignored. */
  readonly run: (context: HandlerContext) => unknown;
  /**
   * The phase to do it in.
   *
   * @defaultValue 'close', or the last phase where there is none of that name
   */
  readonly phase?: string;
  /**
   * Longest time for it, in milliseconds.
   *
   * @defaultValue the shutdown's `handlerTimeoutMs`
   * @throws {RangeError} at registration, unless > 0
   */
  readonly timeoutMs?: number;
}

/** How a server is ended. */
export interface ServerOptions {
  /** For spans, report and log. @defaultValue 'server', and a number from the second on */
  readonly name?: string;
  /**
   * Longest time for its requests to end, in milliseconds; then its connections are cut.
   *
   * @defaultValue the shutdown's `handlerTimeoutMs`
   * @throws {RangeError} at registration, unless > 0
   */
  readonly timeoutMs?: number;
  /**
   * How long a keep-alive connection must have been idle to be closed at once, in milliseconds. One
   * that has just been used may have the next request on its way, which closing it would lose. Costs
   * nothing after a delay longer than this, in which every connection in use is told to close.
   *
   * @defaultValue 1000
   * @throws {RangeError} at registration, unless finite and >= 0
   */
  readonly idleGraceMs?: number;
  /** WebSocket servers on this server, such as those of `ws`: their clients are closed with 1001. */
  readonly webSockets?: WebSocketServerLike | readonly WebSocketServerLike[];
  /**
   * Tells a connection that was upgraded that the server is going.
   *
   * @defaultValue a WebSocket is sent a close frame with 1001; anything else is ended
   */
  readonly tellUpgraded?: TellUpgraded;
}

/** The defaults of {@link ServerOptions}, as the README's table shows them. */
export const SERVER_DEFAULTS: { readonly idleGraceMs: 1000 } = { idleGraceMs: 1000 };

const OWNER = 'shutdown handler';

/** Holds a handler to its ranges and fills in the defaults. */
export function resolveHandler(
  given: ShutdownHandler | ShutdownHandler['run'],
  { phases, handlerTimeoutMs }: ResolvedShutdownOptions,
  number: number,
): Handler {
  const handler = typeof given === 'function' ? { run: given } : given;
  checkKnown(OWNER, handler, ['name', 'run', 'phase', 'timeoutMs']);
  checkType(OWNER, 'run', handler.run, 'function');
  const name = checkName(OWNER, handler.name ?? (handler.run.name || `handler ${number}`));
  const names = phases.map((phase) => phase.name);
  const usual = names.includes('close') ? 'close' : (names.at(-1) as string);
  const phase = checkOneOf(`${OWNER} '${name}'`, 'phase', handler.phase ?? usual, names);
  const timeoutMs = checkNumber(
    `${OWNER} '${name}'`,
    'timeoutMs',
    handler.timeoutMs ?? handlerTimeoutMs,
    { min: 0, aboveMin: true },
  );
  // Called on its own object, as a method may be given.
  return { name, phase, timeoutMs, run: (context) => handler.run(context) };
}

/** What is left of {@link ServerOptions} when they have been checked. */
export interface ResolvedServerOptions {
  readonly name: string;
  readonly timeoutMs: number;
  readonly idleGraceMs: number;
  readonly webSockets: readonly WebSocketServerLike[];
  readonly tellUpgraded: TellUpgraded | undefined;
}

/** Holds the options of a server to their ranges and fills in the defaults. */
export function resolveServerOptions(
  options: ServerOptions,
  { handlerTimeoutMs }: ResolvedShutdownOptions,
  number: number,
): ResolvedServerOptions {
  const owner = 'shutdown.server';
  checkKnown(owner, options, ['name', 'timeoutMs', 'idleGraceMs', 'webSockets', 'tellUpgraded']);
  const name = checkName(owner, options.name ?? (number === 1 ? 'server' : `server ${number}`));
  const timeoutMs = options.timeoutMs ?? handlerTimeoutMs;
  checkNumber(owner, 'timeoutMs', timeoutMs, { min: 0, aboveMin: true });
  const idleGraceMs = options.idleGraceMs ?? SERVER_DEFAULTS.idleGraceMs;
  checkNumber(owner, 'idleGraceMs', idleGraceMs, { min: 0, infinite: false });
  const given = options.webSockets ?? [];
  const webSockets = Array.isArray(given) ? given : [given];
  for (const server of webSockets) {
    checkType(owner, 'webSockets', server, 'object');
    checkType(owner, 'webSockets.clients', server.clients, 'object');
  }
  const { tellUpgraded } = options;
  if (tellUpgraded !== undefined) checkType(owner, 'tellUpgraded', tellUpgraded, 'function');
  return { name, timeoutMs, idleGraceMs, webSockets, tellUpgraded };
}
