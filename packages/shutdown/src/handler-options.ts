import {
  checkKnown,
  checkName,
  checkType,
  nameRule,
  numberRule,
  type OptionRule,
  oneOfRule,
  resolveOptions,
  safeText,
  typeRule,
} from '@temper/core/policy';
import { type ResolvedShutdownOptions, timeoutRule } from './options.ts';
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
   * @defaultValue 1000, or half of the time limit for open requests if that is less
   * @throws {RangeError} at registration, unless finite and >= 0
   */
  readonly idleGraceMs?: number;
  /**
   * Whether other servers with the same request listener, such as the second one of Fastify on
   * `localhost`, are closed too. A server that is registered itself keeps its own options.
   *
   * @defaultValue true
   */
  readonly siblings?: boolean;
  /**
   * WebSocket servers attached to this server, such as those of `ws`. Their clients are closed with
   * code 1001 (going away), each after an answer or when idle: see {@link closeUpgraded}.
   *
   * @defaultValue none
   */
  readonly webSockets?: WebSocketServerLike | readonly WebSocketServerLike[];
  /**
   * Closes a connection that was upgraded to another protocol, as soon as the listener has closed. An
   * error that it throws is logged.
   *
   * @defaultValue sends a close frame with code 1001 to a WebSocket; ends any other socket. That happens
   * when no tracked promise is pending, and nothing was received or sent for `idleGraceMs`, or right after
   * an answer once that time has passed; at the latest 1 s before the time limit, or at half of one below
   * 2 s
   */
  readonly closeUpgraded?: CloseUpgraded;
}

/** The defaults of {@link ServerOptions}, as the README's table shows them. */
export const SERVER_DEFAULTS: { readonly idleGraceMs: 1000; readonly siblings: true } = {
  idleGraceMs: 1000,
  siblings: true,
};

const OWNER = 'shutdown handler';

const HANDLER_RULES: { readonly [K in keyof ShutdownHandler]-?: OptionRule } = {
  name: nameRule,
  run: typeRule('function'),
  phase: typeRule('string'),
  timeoutMs: timeoutRule,
};

/** Validates a handler and fills in the defaults. */
export function resolveHandler(
  given: ShutdownHandler | ShutdownHandler['run'],
  { phases, handlerTimeoutMs }: ResolvedShutdownOptions,
  number: number,
): Handler {
  const handler = typeof given === 'function' ? { run: given } : given;
  checkKnown(OWNER, handler, Object.keys(HANDLER_RULES));
  checkType(OWNER, 'run', handler.run, 'function');
  const name = checkName(
    OWNER,
    handler.name === undefined ? nameOf(handler, number) : handler.name,
  );
  const names = phases.map((phase) => phase.name);
  const usual = names.includes('close') ? 'close' : (names.at(-1) as string);
  const { phase, timeoutMs } = resolveOptions<ShutdownHandler>(
    `${OWNER} '${name}'`,
    // A handler may be an instance of a class, whose method is not a property of its own.
    { run: handler.run, phase: handler.phase, timeoutMs: handler.timeoutMs } as ShutdownHandler,
    { name, phase: usual, timeoutMs: handlerTimeoutMs, run: handler.run },
    { ...HANDLER_RULES, phase: oneOfRule(names) },
  );
  // Called as a method, so that `run` may use `this`.
  return { name, phase, timeoutMs, run: (context) => handler.run(context) };
}

/** The name of the function, which may be of any length: it must not prevent the registration. */
function nameOf({ run }: ShutdownHandler, number: number): string {
  return safeText(run.name, 128) || `handler ${number}`;
}

/** {@link ServerOptions} after validation. */
export interface ResolvedServerOptions {
  readonly name: string;
  readonly timeoutMs: number;
  /** The time limit within those of the phase and of the shutdown, in milliseconds. */
  readonly limitMs: number;
  readonly idleGraceMs: number;
  readonly siblings: boolean;
  readonly webSockets: readonly WebSocketServerLike[];
  readonly closeUpgraded: CloseUpgraded | undefined;
}

const SERVER_RULES: { readonly [K in keyof ServerOptions]-?: OptionRule } = {
  name: nameRule,
  timeoutMs: timeoutRule,
  idleGraceMs: numberRule({ min: 0, infinite: false }),
  siblings: typeRule('boolean'),
  webSockets: (owner, option, value) => {
    for (const server of Array.isArray(value) ? value : [value]) {
      checkType(owner, option, server, 'object');
      checkType(owner, `${option}.clients`, server.clients, 'object');
    }
  },
  closeUpgraded: typeRule('function'),
};

/** Validates the options of a server and fills in the defaults. */
export function resolveServerOptions(
  options: ServerOptions,
  { handlerTimeoutMs, timeoutMs, delayMs, flushTimeoutMs, phases }: ResolvedShutdownOptions,
  number: number,
): ResolvedServerOptions {
  const { webSockets, closeUpgraded, idleGraceMs, ...rest } = resolveOptions<
    ServerOptions,
    'closeUpgraded'
  >(
    'shutdown.server',
    options,
    {
      ...SERVER_DEFAULTS,
      name: number === 1 ? 'server' : `server ${number}`,
      timeoutMs: handlerTimeoutMs,
      webSockets: [],
    },
    SERVER_RULES,
  );
  const list = Array.isArray(webSockets) ? webSockets : [webSockets];
  const drain = phases.find((phase) => phase.name === 'drain');
  const limitMs = Math.min(
    rest.timeoutMs,
    timeoutMs - delayMs - flushTimeoutMs,
    drain?.timeoutMs ?? Number.POSITIVE_INFINITY,
  );
  // A grace beyond the limit would destroy every connection that was used recently.
  const graceMs = options.idleGraceMs ?? Math.min(idleGraceMs, limitMs / 2);
  return { ...rest, limitMs, idleGraceMs: graceMs, webSockets: list, closeUpgraded };
}
