import { randomBytes } from 'node:crypto';
import type { ServerResponse } from 'node:http';

interface HubOptions {
  /** Total length of the events kept for reconnecting listeners, in characters. @defaultValue 1_000_000 */
  readonly keptLength?: number;
  /** Maximum number of concurrent listeners. @defaultValue 256 */
  readonly maxListeners?: number;
  /** Maximum number of concurrent listeners of one client. @defaultValue 8 */
  readonly maxPerClient?: number;
  /** Bytes buffered for one listener before it is disconnected. @defaultValue 524_288 */
  readonly maxWaitingBytes?: number;
  /** Interval of the heartbeat comments, in milliseconds. @defaultValue 15_000 */
  readonly heartbeatMs?: number;
}

interface Frame {
  readonly sequence: number;
  readonly text: string;
}

/** Reconnection delay of browsers, in milliseconds. */
const RETRY_MS = 1_500;

/**
 * Sends server-sent events to many listeners. A listener that reconnects with the id of its last event
 * gets the events it missed, as far as they are still kept. A listener that reads too slowly is
 * disconnected and reconnects.
 */
export class EventHub {
  readonly #limits: Required<HubOptions>;
  /** Prefix of event ids, so that ids of an earlier process are recognised as unknown. */
  readonly #run = randomBytes(4).toString('hex');
  readonly #kept: Frame[] = [];
  /** The listeners, with their clients. */
  readonly #listeners = new Map<ServerResponse, string>();
  #keptLength = 0;
  #sequence = 0;
  #heartbeat: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(options: HubOptions = {}) {
    this.#limits = {
      keptLength: 1_000_000,
      maxListeners: 256,
      maxPerClient: 8,
      maxWaitingBytes: 512 * 1024,
      heartbeatMs: 15_000,
      ...options,
    };
  }

  get listeners(): number {
    return this.#listeners.size;
  }

  /** Whether a client can have no more listeners: there are too many, of its own or of all. */
  isFullFor(client: string): boolean {
    const { maxListeners, maxPerClient } = this.#limits;
    if (this.#closed || this.#listeners.size >= maxListeners) return true;
    const own = [...this.#listeners.values()].filter((one) => one === client);
    return own.length >= maxPerClient;
  }

  /** Sends an event to all listeners and keeps it for reconnecting ones. */
  publish(type: string, data: unknown): void {
    if (this.#closed) return;
    this.#sequence += 1;
    const frame = { sequence: this.#sequence, text: this.#frame(type, data) };
    this.#kept.push(frame);
    this.#keptLength += frame.text.length;
    while (this.#keptLength > this.#limits.keptLength) {
      this.#keptLength -= this.#kept.shift()?.text.length ?? 0;
    }
    for (const listener of this.#listeners.keys()) this.#send(listener, frame.text);
  }

  /**
   * Turns a response into an event stream. It starts with the missed events, or with a `hello` event
   * that has the full state.
   *
   * @param client - whose listener it is
   * @param lastEventId - the `Last-Event-ID` header of a reconnecting listener
   */
  connect(
    client: string,
    response: ServerResponse,
    lastEventId: string | undefined,
    hello: () => unknown,
  ): void {
    response.writeHead(200, {
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-store',
      'x-accel-buffering': 'no',
      'x-content-type-options': 'nosniff',
    });
    response.write(`retry: ${RETRY_MS}\n\n`);
    const missed = this.#missedSince(lastEventId);
    if (missed === undefined) response.write(this.#frame('hello', hello()));
    else for (const { text } of missed) response.write(text);
    this.#listeners.set(response, client);
    const gone = (): void => this.#remove(response);
    response.once('close', gone).once('error', gone);
    this.#heartbeat ??= setInterval(() => this.#beat(), this.#limits.heartbeatMs).unref();
  }

  /** Closes all streams and accepts no more. */
  close(): void {
    this.#closed = true;
    for (const listener of this.#listeners.keys()) {
      listener.end();
      this.#remove(listener);
    }
  }

  #frame(type: string, data: unknown): string {
    return `id: ${this.#run}.${this.#sequence}\nevent: ${type}\ndata: ${JSON.stringify(data)}\n\n`;
  }

  #missedSince(lastEventId: string | undefined): readonly Frame[] | undefined {
    const match = /^([0-9a-f]{8})\.(\d{1,15})$/.exec(lastEventId ?? '');
    if (match === null || match[1] !== this.#run) return undefined;
    const seen = Number(match[2]);
    const oldest = this.#kept[0]?.sequence ?? this.#sequence + 1;
    if (seen > this.#sequence || seen < oldest - 1) return undefined;
    return this.#kept.filter(({ sequence }) => sequence > seen);
  }

  #send(listener: ServerResponse, text: string): void {
    if (listener.writableLength > this.#limits.maxWaitingBytes) listener.destroy();
    else listener.write(text);
  }

  #beat(): void {
    for (const listener of this.#listeners.keys()) this.#send(listener, ': heartbeat\n\n');
  }

  #remove(listener: ServerResponse): void {
    this.#listeners.delete(listener);
    if (this.#listeners.size > 0) return;
    clearInterval(this.#heartbeat);
    this.#heartbeat = undefined;
  }
}
