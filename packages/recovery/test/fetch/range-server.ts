import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Answer } from './fault-server.ts';

/** What a server of one document does. */
interface Served {
  /** The document. */
  readonly text: string;
  /** The headers of each answer. @defaultValue a strong ETag */
  readonly headers?: Record<string, string>;
  /** How many bytes an answer sends before it breaks; the whole after these. */
  readonly cuts?: readonly number[];
  /** How it breaks. @defaultValue the connection is closed */
  readonly fault?: (response: ServerResponse) => void;
  /** Whether the server knows ranges. @defaultValue true */
  readonly ranges?: boolean;
  /** Whether it serves ranges whatever `If-Range` says. @defaultValue false */
  readonly deaf?: boolean;
  /** Whether the answers have a length. @defaultValue true */
  readonly length?: boolean;
}

/** An answer for each cut, and one for the whole document. */
export function document({ cuts = [], ...served }: Served): Answer[] {
  return [...cuts.map((cut) => answer(served, cut)), answer(served, undefined)];
}

function answer(
  { text, headers = { etag: '"1"' }, fault, ranges = true, deaf = false, length = true }: Served,
  cut: number | undefined,
): Answer {
  return (response: ServerResponse, request: IncomingMessage) => {
    const bytes = Buffer.from(text);
    const range = /^bytes=(\d+)-$/.exec(request.headers.range ?? '');
    const validator = headers.etag ?? headers['last-modified'];
    const partial = ranges && range !== null && (deaf || request.headers['if-range'] === validator);
    const from = partial ? Number(range?.[1]) : 0;
    const rest = bytes.subarray(from);
    response.writeHead(partial ? 206 : 200, {
      ...headers,
      ...(partial ? { 'content-range': `bytes ${from}-${bytes.length - 1}/${bytes.length}` } : {}),
      ...(length ? { 'content-length': String(rest.length) } : {}),
    });
    if (cut === undefined) {
      response.end(rest);
      return;
    }
    const broken = fault ?? ((one: ServerResponse) => one.socket?.end());
    if (cut === 0) response.flushHeaders();
    else response.write(rest.subarray(0, cut));
    broken(response);
  };
}
