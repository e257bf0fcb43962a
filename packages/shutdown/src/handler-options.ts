import { checkKnown, checkName, checkNumber, checkOneOf, checkType } from '@temper/core';
import type { ResolvedShutdownOptions } from './options.ts';
import type { Handler, HandlerContext } from './runner.ts';
import type { CloseUpgraded, WebSocketServerLike } from './server/upgrades.ts';

/** A task that runs before the process exits. */
export interface ShutdownHandler {
  /**
   * Name in spans, report and log.
   *
   * @defaultValue the name of the function, or `handler <number>` for an anonymous one
   */
  readonly name?: string;
  /**
   * The task, called as a method of the handler object. A returned promise is awaited; the value is
   * ignored. An error that is thrown, or a promise that rejects, makes the outcome `failed`.
   */
  readonly run: (context: HandlerContext) => unknown;
  /**
   * Phase in which the handler runs.
   *
   * @defaultValue 'close', or the last phase if no phase has that name
   */
  readonly phase?: string;
  /**
   * Time limit of the handler, in milliseconds.
   *
   * @defaultValue the shutdown's `handlerTimeoutMs`
   * @throws {RangeError} at registration, unless > 0
   */
  readonly timeoutMs?: number;
}

/** Options of {@link GracefulShutdown.server}. */
export interface ServerOptions {
  /** Name in spans, report and log. @defaultValue 'server', then 'server 2', 'server 3' … */
  readonly name?: string;
  /**
   * Time limit for open requests, in milliseconds. Connections still open after it are destroyed.
   *
   * @defaultValue the shutdown's `handlerTimeoutMs`
   * @throws {RangeError} at registration, unless > 0
   */
  readonly timeoutMs?: number;
  /**
   * How long a keep-alive connection must have been idle before it is closed, in milliseconds. A
   * connection that has just been used may already carry the next request, which closing would lose.
   * Adds no time to the shutdown if `delayMs` is longer: during the delay every connection in use
   * receives `Connection: close`.
   *
   * @defaultValue 1000
   * @throws {RangeError} at registration, unless finite and >= 0
   */
  readonly idleGraceMs?: number;
  /**
   * WebSocket servers attached to this server, such as those of `ws`. Their clients are closed with
   * code 1001 (going away).
   *
   * @defaultValue none
   */
  readonly webSockets?: WebSocketServerLike | readonly WebSocketServerLike[];
  /**
   * Closes a connection that was upgraded to another protocol. An error that it throws is logged.
   *
   * @defaultValue sends a close frame with code 1001 to a WebSocket; ends any other socket
   */
  readonly closeUpgraded?: CloseUpgraded;
}

/** The defaults of {@link ServerOptions}, as the README's table shows them. */
export const SERVER_DEFAULTS: { readonly idleGraceMs: 1000 } = { idleGraceMs: 1000 };

const OWNER = 'shutdown handler';

/** Validates a handler and fills in the defaults. */
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
  // Called as a method, so that `run` may use `this`.
  return { name, phase, timeoutMs, run: (context) => handler.run(context) };
}

/** {@link ServerOptions} after validation. */
export interface ResolvedServerOptions {
  readonly name: string;
  readonly timeoutMs: number;
  readonly idleGraceMs: number;
  readonly webSockets: readonly WebSocketServerLike[];
  readonly closeUpgraded: CloseUpgraded | undefined;
}

/** Validates the options of a server and fills in the defaults. */
export function resolveServerOptions(
  options: ServerOptions,
  { handlerTimeoutMs }: ResolvedShutdownOptions,
  number: number,
): ResolvedServerOptions {
  const owner = 'shutdown.server';
  checkKnown(owner, options, ['name', 'timeoutMs', 'idleGraceMs', 'webSockets', 'closeUpgraded']);
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
  const { closeUpgraded } = options;
  if (closeUpgraded !== undefined) checkType(owner, 'closeUpgraded', closeUpgraded, 'function');
  return { name, timeoutMs, idleGraceMs, webSockets, closeUpgraded };
}
