import { isUtf8 } from 'node:buffer';
import type { Socket } from 'node:net';

/** Although a test may have replaced it since, as Jest does. */
const { queueMicrotask: defer } = globalThis;

/** Text to be written, in UTF-16 code units, beyond which no more should be sent in this turn. */
const MAX_OUT = 1_048_576;
const NEWLINE = 0x0a;
const NOTHING: Buffer = Buffer.alloc(0);

/** The user of a {@link LineSocket}. */
export interface LineSocketHost {
  /** Called with every line, while {@link LineSocket.pump} allows it. */
  line(text: string): void;
  /** Called when the other side may have to be waited for no longer, or longer, before more is sent or read. */
  changed(): void;
  /** Called once, when the connection has ended, with the reason if there is one. */
  ended(error: Error | undefined): void;
}

/**
 * A connection whose two sides send lines. What arrives is bounded by `maxLine` and read only as fast as its
 * user takes it; a line that is cut off by the end of the connection is dropped. Lines that are sent in one
 * turn of the event loop are written together.
 */
export class LineSocket {
  readonly #socket: Socket;
  readonly #host: LineSocketHost;
  readonly #maxLine: number;
  /** What has arrived and holds no newline, or is not searched yet from {@link #at}. */
  #chunk: Buffer = NOTHING;
  #at = 0;
  #parts: Buffer[] = [];
  #partBytes = 0;
  #out = '';
  #blocked = false;
  #failure: Error | undefined;
  #violated = false;

  /** @param maxLine - longest line that is accepted, in bytes */
  constructor(socket: Socket, maxLine: number, host: LineSocketHost) {
    this.#socket = socket;
    this.#host = host;
    this.#maxLine = maxLine;
    socket.on('data', (chunk: Buffer) => {
      this.#chunk = this.#at === this.#chunk.length ? chunk : Buffer.concat([this.#rest(), chunk]);
      this.#at = 0;
      this.#host.changed();
    });
    socket.on('drain', () => {
      this.#blocked = false;
      this.#host.changed();
    });
    socket.on('error', (error) => {
      this.#failure ??= error;
    });
    socket.on('close', () => {
      this.#parts = [];
      this.#chunk = NOTHING;
      this.#at = 0;
      this.#host.ended(this.#failure);
    });
    // The end of what the other side sends: nothing that we could answer would be of use.
    socket.on('end', () => socket.destroy());
  }

  /** Whether the other side does not read what was sent, or enough was sent in this turn. */
  get blocked(): boolean {
    return this.#blocked || this.#out.length > MAX_OUT;
  }

  /** Whether the beginning of a line has arrived and its end has not. */
  get partial(): boolean {
    return this.#partBytes > 0;
  }

  /** Hands over lines that have arrived as long as `wanted` says so, and reads more only then. */
  pump(wanted: () => boolean): void {
    while (wanted()) {
      const line = this.#next();
      if (line === undefined) {
        this.#socket.resume();
        return;
      }
      this.#host.line(line);
    }
    this.#socket.pause();
  }

  #rest(): Buffer {
    return this.#chunk.subarray(this.#at);
  }

  /** The next complete line. */
  #next(): string | undefined {
    if (this.#socket.destroyed) return undefined;
    const end = this.#chunk.indexOf(NEWLINE, this.#at);
    const part = this.#chunk.subarray(this.#at, end < 0 ? undefined : end);
    if (this.#partBytes + part.length > this.#maxLine) {
      return this.#violation(`a line has more than ${this.#maxLine} bytes`);
    }
    this.#at = end < 0 ? this.#chunk.length : end + 1;
    if (end < 0) {
      // A copy: a small part must not keep the whole chunk in memory.
      if (part.length > 0) this.#parts.push(Buffer.from(part));
      this.#partBytes += part.length;
      return undefined;
    }
    const line = this.#parts.length === 0 ? part : Buffer.concat([...this.#parts, part]);
    this.#parts = [];
    this.#partBytes = 0;
    return isUtf8(line) ? line.toString('utf8') : this.#violation('a line is not UTF-8');
  }

  #violation(what: string): undefined {
    this.#violated = true;
    this.destroy(new Error(what));
  }

  /** Whether the connection was ended because of what has arrived. */
  get violated(): boolean {
    return this.#violated;
  }

  /** @param line - without a line break */
  send(line: string): void {
    if (this.#out === '') defer(this.#write);
    this.#out += `${line}\n`;
  }

  readonly #write = (): void => {
    const text = this.#out;
    this.#out = '';
    if (text === '' || this.#socket.destroyed) return;
    this.#blocked = !this.#socket.write(text);
    if (this.#blocked || text.length > MAX_OUT) this.#host.changed();
  };

  /** Ends the connection after what was sent has been written, unless the other side does not read. */
  end(): void {
    this.#write();
    if (this.#blocked) this.#socket.destroy();
    else this.#socket.end(() => this.#socket.destroy());
  }

  destroy(error?: Error): void {
    this.#failure ??= error;
    this.#socket.destroy();
  }

  /** Lets the process end although the connection is open. */
  unref(): void {
    this.#socket.unref();
  }

  ref(): void {
    this.#socket.ref();
  }
}
