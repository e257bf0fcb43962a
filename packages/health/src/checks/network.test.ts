import { createSocket, type Socket as UdpSocket } from 'node:dgram';
import http from 'node:http';
import https from 'node:https';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { CERTIFICATE, PRIVATE_KEY } from '../../test/certificate.ts';
import type { HealthCheck } from '../check-options.ts';
import { healthMonitor } from '../monitor.ts';
import { dnsCheck } from './dns.ts';
import { httpCheck } from './http.ts';
import { tcpCheck } from './tcp.ts';

const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

const look = async (check: HealthCheck) =>
  (await healthMonitor({ timeoutMs: 300, checks: [check] }).check()).checks[0];

async function listen(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closers.push(() => server.close());
  return (server.address() as AddressInfo).port;
}

/** A port without a listener: one that was just released. */
async function freePort(): Promise<number> {
  const server = createServer();
  const port = await listen(server);
  await new Promise((resolve) => server.close(resolve));
  return port;
}

describe('TCP', () => {
  it('passes if the port accepts connections, and closes its connection', async () => {
    const closed = Promise.withResolvers<void>();
    const port = await listen(
      createServer((socket) => {
        socket
          .on('close', () => closed.resolve())
          .on('error', () => {})
          .resume();
      }),
    );
    expect((await look(tcpCheck({ port })))?.status).toBe('healthy');
    await closed.promise;
  });

  it('fails if the port refuses connections', async () => {
    expect(
      await look(tcpCheck({ port: await freePort(), failureStatus: 'degraded' })),
    ).toMatchObject({
      status: 'degraded',
      errorType: 'ECONNREFUSED',
    });
  });
});

describe('HTTP', () => {
  const serve = (handler: http.RequestListener) => listen(http.createServer(handler));

  it('passes on 2xx over a new connection per probe', async () => {
    const ports = new Set<number | undefined>();
    const port = await serve((request, response) => {
      ports.add(request.socket.remotePort);
      response.writeHead(request.headers['x-probe'] === 'yes' ? 204 : 400).end();
    });
    const monitor = healthMonitor({
      ttlMs: 0,
      checks: [httpCheck({ url: `http://127.0.0.1:${port}/ping`, headers: { 'x-probe': 'yes' } })],
    });
    for (let round = 0; round < 3; round++) {
      const report = await monitor.check();
      expect(report.checks[0]).toMatchObject({
        status: 'healthy',
        observed: { name: 'http_status', value: 204 },
      });
    }
    expect(ports.size).toBe(3);
  });

  it('fails on other status codes with error.type and without credentials in the message', async () => {
    const port = await serve((_request, response) => response.writeHead(500).end('broken'));
    const url = `http://user:hush@127.0.0.1:${port}/ping?token=hush`;
    const report = await look(httpCheck({ url }));
    expect(report).toMatchObject({
      status: 'unhealthy',
      errorType: '500',
      message: `http://127.0.0.1:${port}/ping responded with 500`,
    });
    expect(JSON.stringify(report)).not.toContain('hush');
  });

  it('does not follow redirects and passes status codes that accepts allows', async () => {
    const port = await serve((_request, response) => {
      response.writeHead(302, { location: '/elsewhere' }).end();
    });
    const url = `http://127.0.0.1:${port}/`;
    expect((await look(httpCheck({ url })))?.status).toBe('unhealthy');
    expect((await look(httpCheck({ url, accepts: (status) => status === 302 })))?.status).toBe(
      'healthy',
    );
  });

  it('closes the connection to a server that does not respond in time', async () => {
    const hungUp = Promise.withResolvers<void>();
    const port = await serve((request) => request.socket.on('close', () => hungUp.resolve()));
    expect(await look(httpCheck({ url: `http://127.0.0.1:${port}/` }))).toMatchObject({
      status: 'unhealthy',
      errorType: 'OPERATION_TIMEOUT',
    });
    await hungUp.promise;
  });

  it('does not read the response body, and closes the connection on which it comes', async () => {
    const closed = Promise.withResolvers<void>();
    const port = await serve((request, response) => {
      request.socket.on('close', () => closed.resolve());
      response.writeHead(200).write('for ever');
    });
    const url = `http://127.0.0.1:${port}/`;
    expect((await look(httpCheck({ url, timeoutMs: 3_600_000 })))?.status).toBe('healthy');
    await closed.promise;
  });
});

describe('HTTPS', () => {
  async function serveTls(): Promise<string> {
    const options = {
      cert: CERTIFICATE,
      key: PRIVATE_KEY,
      ca: CERTIFICATE,
      requestCert: true,
      rejectUnauthorized: true,
    };
    const server = https.createServer(options, (_request, response) => response.end());
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    closers.push(() => server.close());
    return `https://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  }

  it('trusts the authority and sends the client certificate that it is given', async () => {
    const url = await serveTls();
    const tls = { ca: CERTIFICATE, servername: 'health.test' };
    const client = { cert: CERTIFICATE, key: PRIVATE_KEY };
    expect(
      await look(httpCheck({ url, timeoutMs: 10_000, tls: { ...tls, ...client } })),
    ).toMatchObject({ status: 'healthy' });
    expect((await look(httpCheck({ url, tls })))?.status).toBe('unhealthy');
    expect((await look(httpCheck({ url, tls: client })))?.errorType).toMatch(/SELF_SIGNED/);
    expect(() => httpCheck({ url, tls: { rejectUnauthorized: false } as never })).toThrow(
      "unknown option 'rejectUnauthorized'",
    );
  });
});

describe('a server that switches protocols', () => {
  it('fails at once, and its connection is closed', async () => {
    const closed = Promise.withResolvers<void>();
    const server = createServer((socket) => {
      socket.on('close', () => closed.resolve());
      socket.on('data', () =>
        socket.write(
          'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n',
        ),
      );
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    closers.push(() => server.close());
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
    expect(await look(httpCheck({ url, timeoutMs: 20_000 }))).toMatchObject({
      status: 'unhealthy',
      errorType: '101',
    });
    await closed.promise;
    const accepts = (status: number) => status === 101;
    expect((await look(httpCheck({ url, accepts })))?.status).toBe('healthy');
  });
});

/** A DNS server (RFC 1035) that knows one name, and can be made silent. */
async function dnsServer(deaf = false): Promise<string> {
  const server: UdpSocket = createSocket('udp4');
  server.on('message', (query, client) => {
    if (deaf) return;
    let end = 12;
    const labels: string[] = [];
    while (query[end] !== 0) {
      const length = query[end] as number;
      labels.push(query.toString('latin1', end + 1, end + 1 + length));
      end += length + 1;
    }
    const question = query.subarray(12, end + 5);
    const known = labels.join('.') === 'db.test';
    const wantsA = query.readUInt16BE(end + 1) === 1;
    const header = Buffer.from(query.subarray(0, 12));
    header.writeUInt16BE(known ? 0x8180 : 0x8183, 2); // an answer, or NXDOMAIN
    header.writeUInt16BE(known && wantsA ? 1 : 0, 6);
    header.writeUInt32BE(0, 8);
    const answer = Buffer.from('c00c00010001000000000004' + '0a000007', 'hex'); // 10.0.0.7
    const reply = Buffer.concat([header, question, ...(known && wantsA ? [answer] : [])]);
    server.send(reply, client.port, client.address);
  });
  await new Promise<void>((resolve) => server.bind(0, '127.0.0.1', resolve));
  closers.push(() => server.close());
  return `127.0.0.1:${server.address().port}`;
}

describe('DNS', () => {
  it('passes for a host name that the system resolves', async () => {
    expect((await look(dnsCheck({ hostname: 'localhost' })))?.status).toBe('healthy');
  });

  it('passes for a host name that a given DNS server resolves', async () => {
    const servers = [await dnsServer()];
    expect((await look(dnsCheck({ hostname: 'db.test', servers })))?.details).toEqual({
      addresses: ['10.0.0.7'],
    });
  });

  it('fails for an unknown host name', async () => {
    const servers = [await dnsServer()];
    expect(await look(dnsCheck({ hostname: 'gone.test', servers }))).toMatchObject({
      status: 'unhealthy',
      errorType: 'ENOTFOUND',
    });
  });

  it('fails at the timeout of a silent DNS server and can be probed again', async () => {
    const monitor = healthMonitor({
      timeoutMs: 200,
      ttlMs: 0,
      checks: [dnsCheck({ hostname: 'db.test', servers: [await dnsServer(true)] })],
    });
    for (let round = 0; round < 2; round++) {
      expect((await monitor.check()).checks[0]).toMatchObject({
        status: 'unhealthy',
        errorType: 'OPERATION_TIMEOUT',
      });
      await sleep(50); // for the cancelled query to settle
    }
  });
});
