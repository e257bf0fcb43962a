import http2, { type ClientHttp2Session, constants } from 'node:http2';
import { setTimeout as sleep } from 'node:timers/promises';
import { WORK_BODY } from '../work.ts';
import { Line } from './line.ts';
import { type Load, type LoadOptions, PAUSE_MS } from './tally.ts';

/** Streams on one session at the same time. */
const STREAMS = 12;

/** The stream was not processed, as RFC 9113, section 8.7, says; a client sends it again. */
class NotProcessedError extends Error {}

/** Clients with a session each, on which several workers send one request after the other. */
export function http2Load(options: LoadOptions): Load {
  let stopped = false;
  const { port, tally, whenTold } = options;

  const open = (line: Line): Promise<ClientHttp2Session> =>
    new Promise((resolve, reject) => {
      const session = http2.connect(`https://localhost:${port}`, {
        createConnection: () => line.socket,
      });
      session.once('error', reject);
      session.once('close', () => reject(new Error('closed before it was open')));
      session.once('remoteSettings', () => {
        session.off('error', reject);
        session.on('error', () => {});
        resolve(session);
      });
    });

  const request = (session: ClientHttp2Session): Promise<string> =>
    new Promise((resolve, reject) => {
      const stream = session.request({ ':path': '/work' });
      let body = '';
      let status: unknown;
      stream.setEncoding('latin1');
      stream.on('response', (headers) => {
        status = headers[':status'];
      });
      stream.on('data', (data) => {
        body += data;
      });
      stream.on('error', () => {});
      stream.on('close', () => {
        if (status === 200 && stream.rstCode === constants.NGHTTP2_NO_ERROR) resolve(body);
        else if (stream.rstCode === constants.NGHTTP2_REFUSED_STREAM) {
          reject(new NotProcessedError());
        } else reject(new Error(`status ${status}, stream closed with code ${stream.rstCode}`));
      });
    });

  const isOpen = (session: ClientHttp2Session): boolean => !session.closed && !session.destroyed;

  async function stream(session: ClientHttp2Session, line: Line): Promise<void> {
    for (let isNew = true; !stopped && isOpen(session); isNew = false) {
      tally.sent++;
      try {
        if ((await request(session)) !== WORK_BODY) throw new Error('a wrong body');
        tally.answered++;
      } catch (error) {
        if (error instanceof NotProcessedError) {
          tally.sent--;
          tally.refused++;
          return;
        }
        tally.lose(error, isNew ? 'new' : 'used', line);
      }
      await sleep(Math.random() * PAUSE_MS);
    }
  }

  async function work(): Promise<void> {
    while (!stopped) {
      const line = new Line(port, ['h2']);
      const session = await open(line).catch((error) => {
        tally.notOpened(error, line);
      });
      if (session === undefined) return;
      await Promise.all(Array.from({ length: STREAMS }, () => stream(session, line)));
      session.close();
      if (whenTold === 'go') return;
    }
  }

  const workers = Math.ceil(options.workers / STREAMS);
  return {
    stop: () => {
      stopped = true;
    },
    done: Promise.all(Array.from({ length: workers }, work)),
  };
}
