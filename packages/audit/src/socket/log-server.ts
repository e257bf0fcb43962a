import type { Server, Socket } from 'node:net';
import { type Clock, systemClock } from '@temper/core';
import {
  clockRule,
  type Defaults,
  methodsRule,
  numberRule,
  reportCallbackError,
  resolveOptions,
  type Scheduled,
} from '@temper/core/policy';
import type { AuditEvent } from '../chain/event.ts';
import { AuditClosedError } from '../errors.ts';
import type { AuditLog } from '../log/audit-log.ts';
import { SERVE, type ServableLog } from '../log/served-log.ts';
import { withinTime } from '../log/time-limit.ts';
import { createPrivate, realPathOf } from '../sinks/real-path.ts';
import { WriterLock } from '../sinks/writer-lock.ts';
import { LineSocket } from './line-socket.ts';
import {
  errorAnswer,
  MAX_REQUEST_BYTES,
  parseHello,
  parseRequest,
  type Request,
  welcome,
} from './protocol.ts';
import { checkPlatform, listenAt, socketPathRule } from './socket-path.ts';
import { StoredEvents } from './stored-events.ts';

/** Options of {@link serveLog}. */
export interface ServeLogOptions {
  /**
   * Path of the Unix socket, at most 94 bytes. Nobody else may be able to change its directory. A lock file
   * with the suffix `.lock` beside it excludes a second server.
   */
  readonly path: string;
  /**
   * Permissions of the socket. Who can write to it can append to the log.
   *
   * @defaultValue 0o600
   * @throws {RangeError} at construction, unless an integer from 0 to 0o777
   */
  readonly mode?: number;
  /**
   * Maximum number of clients at a time. Further connections are closed at once.
   *
   * @defaultValue 256
   * @throws {RangeError} at construction, unless an integer from 1 to 65_535
   */
  readonly maxClients?: number;
  /**
   * Longest time, in milliseconds, in which a client must introduce itself, complete a line that it has
   * begun, and read its answers; its connection is closed then. Also how long `close` waits for events under way,
   * and then for clients to read their answers.
   *
   * @defaultValue 10_000
   * @throws {RangeError} at construction, unless >= 1 (`Infinity` allowed)
   */
  readonly clientTimeoutMs?: number;
  /** @defaultValue the system clock */
  readonly clock?: Clock;
}

/** The defaults of {@link ServeLogOptions}, as the README's table shows them. */
export const SERVE_DEFAULTS: Omit<Defaults<ServeLogOptions, 'path'>, 'clock'> = {
  mode: 0o600,
  maxClients: 256,
  clientTimeoutMs: 10_000,
};

/** A snapshot of a {@link LogServer}. */
export interface LogServerStats {
  /** Connected clients. */
  readonly clients: number;
  /** Events of clients that are not answered yet. */
  readonly pending: number;
  /** Connections that were closed because of what the client sent, or did not send or read in time. */
  readonly expelled: number;
}

/** A log that serves other processes. */
export interface LogServer extends AsyncDisposable {
  readonly path: string;
  stats(): LogServerStats;
  /**
   * Accepts nothing more, answers what is under way, and removes the socket. The log stays open: close the
   * server first, then the log. Idempotent.
   */
  close(): Promise<void>;
}

/** Events of one client, and bytes of its lines, that are not answered: beyond them it is not read from. */
const CLIENT_EVENTS = 256;
const CLIENT_BYTES = 2 * MAX_REQUEST_BYTES;
/** The same of all clients together, which then take turns. */
const ALL_EVENTS = 4_096;
const ALL_BYTES = 8 * MAX_REQUEST_BYTES;
/** Lines that a client may send in its turn. */
const TURN_LINES = 16;
const OWNER = 'serveLog';

const logRule = methodsRule('append', 'ready');

/**
 * Serves a log to other processes on this host, by a Unix socket. They append with `socketLog`, with the
 * guarantees of `append` in this process: an answer means that the event is stored by the rule of the log.
 *
 * @throws {TypeError | RangeError} (as a rejection) if an option is invalid, see {@link ServeLogOptions}, or
 *   the log is not one of `auditLog` with a sink that can be read
 * @throws {AuditLockedError} (as a rejection) if another server uses the path
 * @throws {AuditUnavailableError} (as a rejection) if the log cannot be opened
 * @throws an `Error` (as a rejection) if the path has another file than a socket, others can change its
 *   directory, or the system is Windows
 */
export async function serveLog(log: AuditLog, options: ServeLogOptions): Promise<LogServer> {
  logRule(OWNER, 'log', log);
  const resolved = resolveServeOptions(options);
  if (!(SERVE in log)) throw new TypeError(`${OWNER}: log must be a log of auditLog.`);
  void log.source; // throws without a sink that can be read
  checkPlatform(OWNER);
  await log.ready();
  const server = new SocketServer(log as AuditLog & ServableLog, resolved);
  await server.listen();
  return server;
}

/** Checks the options and applies the defaults. */
export function resolveServeOptions(options: ServeLogOptions): ResolvedServeOptions {
  const all = resolveOptions<ServeLogOptions, 'path'>(
    OWNER,
    options,
    { ...SERVE_DEFAULTS, clock: systemClock },
    {
      path: socketPathRule,
      mode: numberRule({ min: 0, max: 0o777, integer: true }),
      maxClients: numberRule({ min: 1, max: 65_535, integer: true }),
      clientTimeoutMs: numberRule({ min: 1 }),
      clock: clockRule,
    },
  );
  if (all.path === undefined) socketPathRule(OWNER, 'path', all.path);
  return all as ResolvedServeOptions;
}

interface ResolvedServeOptions extends Required<ServeLogOptions> {}

class SocketServer implements LogServer {
  readonly path: string;
  readonly log: AuditLog & ServableLog;
  readonly options: ResolvedServeOptions;
  readonly #server: Server;
  readonly #stored: StoredEvents;
  /** Events that the log has been given and not settled, by id: a client may send one again meanwhile. */
  readonly #running: Map<string, Promise<AuditEvent>> = new Map();
  readonly #clients: Set<Client> = new Set();
  /** Clients that wait for their turn, because too much is under way. */
  readonly #turns: Set<Client> = new Set();
  #events = 0;
  #bytes = 0;
  #expelled = 0;
  #lock: WriterLock | undefined;
  #remove: (() => Promise<void>) | undefined;
  #closing: Promise<void> | undefined;
  #idle: (() => void) | undefined;

  constructor(log: AuditLog & ServableLog, options: ResolvedServeOptions) {
    this.log = log;
    this.path = options.path;
    this.options = options;
    this.#stored = new StoredEvents(log);
    const { createServer } = process.getBuiltinModule('node:net');
    this.#server = createServer((socket) => this.#connected(socket));
    this.#server.maxConnections = options.maxClients;
  }

  async listen(): Promise<void> {
    const { path, mode } = this.options;
    const real = await realPathOf(path);
    await createPrivate(`${real}.lock`);
    this.#lock = new WriterLock(OWNER, path, `${real}.lock`);
    try {
      this.#remove = await listenAt(this.#server, real, mode);
    } catch (error) {
      this.#server.close(() => undefined);
      this.#lock.release();
      throw error;
    }
    // Such as too many open files: the next connection is accepted when there are fewer.
    this.#server.on('error', (error) => reportCallbackError(this.log.name, 'serveLog', error));
  }

  #connected(socket: Socket): void {
    if (this.#closing !== undefined) socket.destroy();
    else this.#clients.add(new Client(socket, this));
  }

  /** Whether more may be given to the log. */
  get room(): boolean {
    return this.#events < ALL_EVENTS && this.#bytes < ALL_BYTES;
  }

  get closing(): boolean {
    return this.#closing !== undefined;
  }

  /** Whether other clients wait for their turn. */
  get contended(): boolean {
    return this.#turns.size > 0;
  }

  /** Calls {@link Client.turn} when there is room, in the order of the calls. */
  waitForTurn(client: Client): void {
    this.#turns.add(client);
  }

  left(client: Client, expelled: boolean): void {
    if (!this.#clients.delete(client)) return;
    this.#turns.delete(client);
    if (expelled) this.#expelled++;
  }

  begin(bytes: number): void {
    this.#events++;
    this.#bytes += bytes;
  }

  end(bytes: number): void {
    this.#events--;
    this.#bytes -= bytes;
    if (this.#events === 0) this.#idle?.();
    // A client that is not done in its turn waits for another, behind the others.
    for (const client of [...this.#turns]) {
      if (!this.room) break;
      this.#turns.delete(client);
      client.turn(TURN_LINES);
    }
  }

  /** Stores an event once, however often and over whichever connection it is sent. */
  store(request: Request & { readonly do: 'store' }): Promise<AuditEvent> {
    const { id } = request;
    const running = this.#running.get(id);
    if (running !== undefined) return running;
    const stored = this.#store(request).finally(() => this.#running.delete(id));
    this.#running.set(id, stored);
    return stored;
  }

  async #store(request: Request & { readonly do: 'store' }): Promise<AuditEvent> {
    const { id, again } = request;
    const found = again === undefined ? undefined : await this.#stored.find(id, again);
    if (found !== undefined) return found;
    if ('event' in request) return this.log[SERVE](request.event);
    return this.log[SERVE]({ id, span: undefined, losses: request.losses });
  }

  stats(): LogServerStats {
    return { clients: this.#clients.size, pending: this.#events, expelled: this.#expelled };
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    await this.#remove?.();
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    for (const client of this.#clients) client.turn(); // stops reading
    const { clock, clientTimeoutMs } = this.options;
    const idle = new Promise<void>((resolve) => {
      this.#idle = resolve;
      if (this.#events === 0) resolve();
    });
    const late = (): Error => new Error('clients did not end in time');
    try {
      await withinTime(clock, clientTimeoutMs, () => idle, late);
      for (const client of this.#clients) client.end();
      await withinTime(clock, clientTimeoutMs, () => closed, late);
    } catch (error) {
      reportCallbackError(this.log.name, 'serveLog', error);
      for (const client of this.#clients) client.destroy();
      await closed;
    }
    this.#lock?.release();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

/** One connection. */
class Client {
  readonly #server: SocketServer;
  readonly #lines: LineSocket;
  #name: string | undefined;
  #events = 0;
  #bytes = 0;
  #expelled = false;
  #ended = false;
  /** Runs while the client has to do something. */
  #timer: Scheduled | undefined;

  constructor(socket: Socket, server: SocketServer) {
    this.#server = server;
    this.#lines = new LineSocket(socket, MAX_REQUEST_BYTES, {
      line: (text) => this.#line(text),
      changed: () => this.turn(),
      ended: () => {
        this.#ended = true;
        this.#timer?.cancel();
        server.left(this, this.#expelled || this.#lines.violated);
      },
    });
    this.turn();
  }

  /**
   * Reads on, as much as the client and the server may have under way.
   *
   * @param most - lines of a client that has waited for its turn; otherwise the others that wait come first
   */
  turn(most?: number): void {
    if (this.#ended) return;
    let lines = 0;
    const mayRead = (): boolean =>
      this.#server.room && (most === undefined ? !this.#server.contended : lines < most);
    this.#lines.pump(() => {
      if (this.#server.closing || this.#full) return false;
      if (!mayRead()) {
        this.#server.waitForTurn(this);
        return false;
      }
      lines++;
      return true;
    });
    this.#watch();
  }

  get #full(): boolean {
    return this.#events >= CLIENT_EVENTS || this.#bytes >= CLIENT_BYTES || this.#lines.blocked;
  }

  /** Whether the client has to introduce itself, to complete a line or to read. */
  #watch(): void {
    const { blocked, partial } = this.#lines;
    const owing = this.#name === undefined || blocked || (partial && !this.#full);
    if (!owing) {
      this.#timer?.cancel();
      this.#timer = undefined;
      return;
    }
    if (this.#timer !== undefined) return;
    const { clock, clientTimeoutMs } = this.#server.options;
    if (clientTimeoutMs === Number.POSITIVE_INFINITY) return;
    this.#timer = clock.schedule(() => this.#expel(), clientTimeoutMs);
    this.#timer.unref();
  }

  #expel(): void {
    this.#expelled = true;
    this.#lines.destroy();
  }

  #line(text: string): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    try {
      if (this.#name === undefined) {
        this.#name = parseHello(text);
        this.#lines.send(welcome(this.#server.log.stats().sequence));
        return;
      }
      void this.#answer(parseRequest(text), text.length);
    } catch (error) {
      // The answer says why, and the connection is of no more use.
      this.#expelled = true;
      this.#lines.send(errorAnswer(0, error));
      this.#lines.end();
    }
  }

  async #answer(request: Request, bytes: number): Promise<void> {
    this.#events++;
    this.#bytes += bytes;
    this.#server.begin(bytes);
    const { n } = request;
    try {
      if (request.do === 'ready') {
        const report = await this.#server.log.ready();
        this.#lines.send(JSON.stringify({ n, report }));
      } else {
        const event = await this.#server.store(request);
        const { sequence } = event;
        this.#lines.send(JSON.stringify(request.quiet ? { n, sequence } : { n, event }));
      }
    } catch (error) {
      // Another server may continue the log: the client sends the event to that one.
      if (error instanceof AuditClosedError) this.#lines.destroy();
      else this.#lines.send(errorAnswer(n, error));
    }
    this.#events--;
    this.#bytes -= bytes;
    this.#server.end(bytes);
    this.turn();
  }

  /** Ends the connection after what was answered has been sent. */
  end(): void {
    this.#lines.end();
  }

  destroy(): void {
    this.#lines.destroy();
  }
}
