import { setTimeout as sleep } from 'node:timers/promises';
import {
  EVENTS,
  LAST_EVENT,
  POLL_BODY,
  UPLOAD_BYTES,
  UPLOAD_PARTS,
  UPLOAD_PAUSE_MS,
  WORK_BODY,
} from '../work.ts';
import { Connection, type Response } from './connection.ts';
import { Line } from './line.ts';
import { type Load, type LoadOptions, PAUSE_MS } from './tally.ts';

/** A kind of HTTP/1 request. */
export interface Exchange {
  /** Sends it. */
  send(connection: Connection): unknown;
  /** How many requests it sends together. */
  readonly requests: number;
  /** Whether a response is complete and correct. */
  isRight(body: string): boolean;
}

const get = (path: string): string => `GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`;

const lastEvent = new RegExp(`(data: [^\n]+\n\n){${EVENTS - 1}}data: ${LAST_EVENT}\n\n$`);

const one = (path: string, isRight: (body: string) => boolean): Exchange => ({
  requests: 1,
  send: (connection) => connection.send(get(path)),
  isRight,
});

/** Requests sent together in one packet. */
const PIPELINED = 6;

/** Every kind of HTTP/1 request, by its name in the table. */
export const EXCHANGES: Readonly<
  Record<'work' | 'poll' | 'events' | 'upload' | 'pipelined', Exchange>
> = {
  work: one('/work', (body) => body === WORK_BODY),
  poll: one('/poll', (body) => body === POLL_BODY),
  events: one('/events', (body) => lastEvent.test(body)),
  upload: {
    requests: 1,
    send: async (connection) => {
      connection.send(
        `POST /upload HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/octet-stream\r\nContent-Length: ${UPLOAD_BYTES}\r\n\r\n`,
      );
      for (let part = 1; part <= UPLOAD_PARTS; part++) {
        await sleep(UPLOAD_PAUSE_MS);
        connection.send(Buffer.alloc(UPLOAD_BYTES / UPLOAD_PARTS));
      }
    },
    isRight: (body) => body === String(UPLOAD_BYTES),
  },
  pipelined: {
    requests: PIPELINED,
    send: (connection) => connection.send(get('/work').repeat(PIPELINED)),
    isRight: (body) => body === WORK_BODY,
  },
};

/** Clients that each send one request, or one batch, after the other over a keep-alive connection. */
export function http1Load(options: LoadOptions, exchange: Exchange, secure: boolean): Load {
  let stopped = false;
  const { port, tally, whenTold } = options;

  /** @returns whether the connection may be used again */
  async function request(connection: Connection, isNew: boolean): Promise<boolean> {
    tally.sent += exchange.requests;
    const responses = Array.from({ length: exchange.requests }, () => connection.response());
    for (const response of responses) response.catch(() => {});
    await exchange.send(connection);
    let last: Response | undefined;
    for (const response of responses) {
      try {
        last = await response;
        if (last.status !== 200) throw new Error(`status ${last.status}`);
        if (!exchange.isRight(last.body)) throw new Error('a wrong body');
        tally.answered++;
      } catch (error) {
        tally.lose(error, isNew ? 'new' : 'used', connection.line);
      }
    }
    return last !== undefined && !last.close && connection.usable;
  }

  async function work(): Promise<void> {
    while (!stopped) {
      const line = new Line(port, secure ? ['http/1.1'] : undefined);
      const connection = await Connection.open(line, secure).catch((error) => {
        tally.notOpened(error, line);
      });
      // Refused or broken: the service is gone.
      if (connection === undefined) return;
      for (let isNew = true; !stopped; isNew = false) {
        if (!(await request(connection, isNew))) break;
        await sleep(Math.random() * PAUSE_MS);
        if (!connection.usable) break;
      }
      connection.destroy();
      if (whenTold === 'go') return;
    }
  }

  const workers = Math.ceil(options.workers / exchange.requests);
  return {
    stop: () => {
      stopped = true;
    },
    done: Promise.all(Array.from({ length: workers }, work)),
  };
}
