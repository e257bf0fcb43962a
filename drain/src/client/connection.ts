// An HTTP/1 client of its own, on sockets, so that the figures do not depend on the one of Node.
import type { Socket } from 'node:net';
import type { Line } from './line.ts';

/** A complete response. */
export interface Response {
  readonly status: number;
  readonly body: string;
  /** Whether the server has said that it closes the connection. */
  readonly close: boolean;
}

interface Waiting {
  resolve(response: Response): void;
  reject(error: Error): void;
}

/** One connection. Responses are read in order. */
export class Connection {
  readonly line: Line;
  readonly #socket: Socket;
  readonly #waiting: Waiting[] = [];
  #received: Buffer = Buffer.alloc(0);
  #error: Error | undefined;

  private constructor(line: Line) {
    const { socket } = line;
    this.line = line;
    this.#socket = socket;
    socket.on('data', (data: Buffer) => {
      this.#received = Buffer.concat([this.#received, data]);
      this.#parse();
    });
    socket.on('error', (error) => this.#fail(error));
    socket.on('end', () => this.#fail(new Error('closed')));
    socket.on('close', () => this.#fail(new Error('closed')));
  }

  /** Resolves when it is open, over TLS after the handshake. Rejects with the error of the socket. */
  static open(line: Line, secure: boolean): Promise<Connection> {
    return new Promise((resolve, reject) => {
      const { socket } = line;
      socket.setNoDelay();
      socket.once('error', reject);
      socket.once('close', () => reject(new Error('closed before it was open')));
      socket.once(secure ? 'secureConnect' : 'connect', () => {
        socket.off('error', reject);
        resolve(new Connection(line));
      });
    });
  }

  /** Whether the server has not closed it. */
  get usable(): boolean {
    return this.#error === undefined;
  }

  /** Sends bytes as they are. */
  send(bytes: string | Buffer): void {
    if (this.#socket.writable) this.#socket.write(bytes);
  }

  /** The next response. Rejects when the connection ends before it is complete. */
  response(): Promise<Response> {
    return new Promise((resolve, reject) => {
      if (this.#error === undefined) this.#waiting.push({ resolve, reject });
      else reject(this.#error);
    });
  }

  destroy(): void {
    this.#socket.destroy();
  }

  #fail(error: Error): void {
    this.#error ??= error;
    for (const { reject } of this.#waiting.splice(0)) reject(this.#error);
  }

  #parse(): void {
    while (this.#waiting.length > 0) {
      let parsed: ReturnType<typeof parseResponse>;
      try {
        parsed = parseResponse(this.#received);
      } catch (error) {
        this.#fail(error as Error);
        this.destroy();
        return;
      }
      if (parsed === undefined) return;
      this.#received = this.#received.subarray(parsed.length);
      this.#waiting.shift()?.resolve(parsed.response);
    }
  }
}

/**
 * @returns undefined if the response is not complete
 * @throws {Error} if its end is not marked, so that nobody could tell whether it is complete
 */
function parseResponse(bytes: Buffer): { response: Response; length: number } | undefined {
  const end = bytes.indexOf('\r\n\r\n');
  if (end < 0) return undefined;
  const head = bytes.toString('latin1', 0, end).toLowerCase();
  const header = (name: string) => new RegExp(`\r\n${name}: *([^\r]*)`).exec(head)?.[1];
  const parsed =
    header('transfer-encoding') === 'chunked'
      ? parseChunks(bytes, end + 4)
      : parseBody(bytes, end + 4, Number(header('content-length')));
  if (parsed === undefined) return undefined;
  const status = Number(head.slice(9, 12));
  const close = header('connection') === 'close';
  return { response: { status, close, body: parsed.body }, length: parsed.end };
}

function parseBody(bytes: Buffer, start: number, length: number) {
  if (Number.isNaN(length)) throw new Error('a response without a length');
  if (bytes.length < start + length) return undefined;
  return { body: bytes.toString('latin1', start, start + length), end: start + length };
}

function parseChunks(bytes: Buffer, start: number) {
  let body = '';
  for (let at = start; ; ) {
    const line = bytes.indexOf('\r\n', at);
    if (line < 0) return undefined;
    const size = Number.parseInt(bytes.toString('latin1', at, line), 16);
    const end = line + 2 + size + 2;
    if (bytes.length < end) return undefined;
    body += bytes.toString('latin1', line + 2, end - 2);
    if (size === 0) return { body, end };
    at = end;
  }
}
