import { connect } from 'node:net';
import { describe, expect, it } from 'vitest';
import { runService } from './running-service.ts';

interface Exchange {
  readonly answer: string;
  /** Bytes that were sent one by one after the text. */
  readonly drips: number;
}

const DRIP_EVERY_MS = 500;
/** Of a header that is limited to 10 s. Without a check of its own, Node looks every 30 s. */
const MOST_DRIPS = 40;

/** Sends a text, then one byte after the other, until the server has closed the connection. */
function raw(url: string, text: string, drip = ''): Promise<Exchange> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve, reject) => {
    const socket = connect({ host: hostname, port: Number(port) }, () => socket.write(text));
    let [answer, drips] = ['', 0];
    // A byte from time to time keeps a connection from being idle.
    const dripping = setInterval(() => {
      if (drip === '' || !socket.writable) return;
      socket.write(drip);
      drips += 1;
    }, DRIP_EVERY_MS);
    socket.setEncoding('utf8').on('data', (part: string) => {
      answer += part;
    });
    const end = (): void => clearInterval(dripping);
    socket.once('error', (error) => {
      end();
      if (answer === '') reject(error);
      else resolve({ answer, drips });
    });
    socket.once('close', () => {
      end();
      resolve({ answer, drips });
    });
  });
}

const statusOf = ({ answer }: Exchange): string | undefined =>
  /^HTTP\/1\.1 (\d{3}) /.exec(answer)?.[1];

const ask = (path: string, ...hosts: readonly string[]): string =>
  `GET ${path} HTTP/1.1\r\n${hosts.map((host) => `Host: ${host}\r\n`).join('')}Connection: close\r\n\r\n`;

describe('a connection', () => {
  it('has one Host that is accepted, on the port of the service and on that of the metrics', async () => {
    const { url, demo } = await runService(['--no-load', '--allow-host=service']);
    const metrics = /^metrics: +(\S+)/m.exec(demo.stderr())?.[1] as string;
    for (const [base, path] of [
      [url, '/v1/policies'],
      [metrics, '/metrics'],
    ] as const) {
      const { host } = new URL(base);
      const status = async (...hosts: readonly string[]): Promise<string | undefined> =>
        statusOf(await raw(base, ask(path, ...hosts)));
      expect(await status(host), path).toBe('200');
      expect(await status('service:1'), path).toBe('200');
      expect(await status('evil.example'), path).toBe('421');
      expect(await status(host, 'evil.example'), path).toBe('400');
      expect(await status(host, host), path).toBe('400');
      expect(await status(), path).toBe('400');
    }
  });

  it('ends with 408 when its header does not, although bytes arrive', async () => {
    const { url } = await runService();
    const { host } = new URL(url);
    const slow = await raw(url, `GET /livez HTTP/1.1\r\nHost: ${host}\r\nX-A: `, 'a');
    expect(statusOf(slow)).toBe('408');
    expect(slow.drips).toBeLessThan(MOST_DRIPS);
  });
});
