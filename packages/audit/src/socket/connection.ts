import type { Clock } from '@temper/core';
import { withinTime } from '../log/time-limit.ts';
import { LineSocket } from './line-socket.ts';
import { hello, MAX_ANSWER_BYTES, parseWelcome } from './protocol.ts';
import { checkPlatform, checkServerSocket } from './socket-path.ts';

/** What a connection tells its client. */
export interface ConnectionHost {
  readonly name: string;
  readonly path: string;
  readonly serverUid: number | undefined;
  readonly timeoutMs: number;
  readonly clock: Clock;
  /** Called with each answer. An error that it throws ends the connection. */
  answer(line: string): void;
  /** Called when more can be sent. */
  writable(): void;
  /** Called once after {@link Connection.open} has resolved, when the connection has ended. */
  ended(error: Error): void;
}

/** A connection to a server, from its introduction to its end. */
export class Connection {
  readonly #host: ConnectionHost;
  #lines: LineSocket | undefined;
  #state: 'opening' | 'open' | 'over' = 'opening';
  #welcomed: (after: number) => void = () => undefined;
  #refused: (error: Error) => void = () => undefined;

  constructor(host: ConnectionHost) {
    this.#host = host;
  }

  /**
   * Connects and introduces itself.
   *
   * @returns a sequence that no event has that is sent over this connection
   * @throws if the server cannot be reached or trusted within `timeoutMs`, or speaks something else
   */
  async open(): Promise<number> {
    const { path, serverUid, clock, timeoutMs } = this.#host;
    const timeout = (): Error => new Error(`the server did not answer within ${timeoutMs} ms`);
    checkPlatform('socketLog');
    await checkServerSocket(path, serverUid);
    try {
      return await withinTime(clock, timeoutMs, () => this.#connect(), timeout);
    } catch (error) {
      this.#state = 'over';
      this.#lines?.destroy();
      throw error;
    }
  }

  #connect(): Promise<number> {
    const { path, name } = this.#host;
    const { connect } = process.getBuiltinModule('node:net');
    return new Promise((resolve, reject) => {
      this.#welcomed = resolve;
      this.#refused = reject;
      const lines = new LineSocket(connect({ path }), MAX_ANSWER_BYTES, {
        line: (text) => this.#line(text),
        changed: () => {
          lines.pump(() => true);
          if (this.#state === 'open' && !lines.blocked) this.#host.writable();
        },
        ended: (error) => this.#ended(error ?? new Error('the server has ended the connection')),
      });
      this.#lines = lines;
      lines.send(hello(name));
    });
  }

  #line(text: string): void {
    try {
      if (this.#state === 'open') {
        this.#host.answer(text);
      } else {
        const after = parseWelcome(text);
        this.#state = 'open';
        this.#welcomed(after);
      }
    } catch (error) {
      this.#lines?.destroy(error as Error);
    }
  }

  #ended(error: Error): void {
    if (this.#state === 'open') this.#host.ended(error);
    else this.#refused(error);
    this.#state = 'over';
  }

  /** Whether the server does not read what was sent. */
  get blocked(): boolean {
    return this.#lines?.blocked ?? true;
  }

  send(line: string): void {
    this.#lines?.send(line);
  }

  destroy(error?: Error): void {
    this.#lines?.destroy(error);
  }

  end(): void {
    this.#lines?.end();
  }

  /** Whether the connection keeps the process alive. */
  keepAlive(yes: boolean): void {
    if (yes) this.#lines?.ref();
    else this.#lines?.unref();
  }
}
