import { readdir } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import { gzipSync } from 'node:zlib';
import {
  DynamoDBClient,
  type DynamoDBClientConfig,
  ListTablesCommand,
} from '@aws-sdk/client-dynamodb';
import {
  GetObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3';
import {
  type CallOptions,
  Client,
  credentials,
  type Interceptor,
  Metadata,
  Server,
  ServerCredentials,
  type ServiceError,
  status,
} from '@grpc/grpc-js';
import { circuitBreaker } from '@temper/breaker';
import type { Policy } from '@temper/core';
import { pipeline } from '@temper/recovery';
import type { HttpStats } from '@temper/recovery/fetch';
import { retry } from '@temper/retry';
import type { AxiosInstance } from 'axios';
import type { KyInstance } from 'ky';
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { recipe } from './recipe.ts';

type GotCall = (url: string, options?: object) => Promise<{ body: string }>;
type AwsHandler = DynamoDBClientConfig['requestHandler'] & { stats(): HttpStats };
type Answer = (response: ServerResponse, request: IncomingMessage) => unknown;

interface Seen {
  readonly method: string | undefined;
  readonly url: string | undefined;
  readonly body: string;
}

/** A server that gives these answers, the last one again and again. */
async function serve(...answers: Answer[]): Promise<{ origin: string; seen: Seen[] }> {
  const seen: Seen[] = [];
  const server = createServer(async (request, response) => {
    let body = '';
    for await (const chunk of request) body += String(chunk);
    seen.push({ method: request.method, url: request.url, body });
    const answer = answers.length > 1 ? answers.shift() : answers[0];
    answer?.(response, request);
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  onTestFinished(() => void server.close().closeAllConnections());
  return { origin: `http://127.0.0.1:${(server.address() as { port: number }).port}`, seen };
}

const busy: Answer = (response) => response.writeHead(503).end('busy');
const cut: Answer = (response) => response.socket?.destroy();
const json =
  (value: unknown): Answer =>
  (response) =>
    response.setHeader('content-type', 'application/json').end(JSON.stringify(value));

/** Breaks in the middle of its body, and knows ranges. */
const broken: Answer = (response, request) => {
  const body = '{"id":1}';
  const etag = '"1"';
  if (request.headers.range === undefined) {
    response.writeHead(200, { etag, 'content-length': body.length }).write(body.slice(0, 4));
    response.socket?.end();
  } else {
    response.writeHead(206, { etag, 'content-range': `bytes 4-7/${body.length}` });
    response.end(body.slice(4));
  }
};

const QUICK = { retry: { initialDelayMs: 0, maxAttempts: 3 } };
const BRITTLE = { ...QUICK, breaker: { failureThreshold: 1, openDurationMs: 60_000 } };

interface HttpRecipe {
  get(url: string): Promise<unknown>;
  post(url: string, value: object, headers?: Record<string, string>): Promise<unknown>;
}

/** How each client is asked, in its own words. */
const HTTP: readonly [string, (origin: string, options: object) => Promise<HttpRecipe>][] = [
  [
    'axios',
    async (origin, options) => {
      const { createClient } = await recipe<{
        createClient(origin: string, options: object): AxiosInstance;
      }>('axios');
      const client = createClient(origin, options);
      return {
        get: async (url) => (await client.get(url)).data,
        post: async (url, value, headers = {}) => (await client.post(url, value, { headers })).data,
      };
    },
  ],
  [
    'ky',
    async (origin, options) => {
      const { createClient } = await recipe<{
        createClient(origin: string, options: object): KyInstance;
      }>('ky');
      const client = createClient(origin, options);
      return {
        get: (url) => client.get(url).json(),
        post: (url, value, headers = {}) => client.post(url, { json: value, headers }).json(),
      };
    },
  ],
  [
    'got',
    async (origin, options) => {
      const { createClient } = await recipe<{
        createClient(origin: string, options: object): GotCall;
      }>('got');
      const client = createClient(origin, options);
      return {
        get: async (url) => JSON.parse((await client(url)).body),
        post: async (url, value, headers) => {
          const { body } = await client(url, { method: 'POST', json: value, headers });
          return JSON.parse(body);
        },
      };
    },
  ],
];

describe.each(HTTP)('the recipe for %s', (name, make) => {
  it('retries what may be done twice, after an answer and after a broken connection', async () => {
    const { origin, seen } = await serve(busy, cut, json({ id: 1 }));
    const client = await make(origin, QUICK);
    expect(await client.get('orders/1')).toEqual({ id: 1 });
    expect(seen.map(({ url }) => url)).toEqual(['/orders/1', '/orders/1', '/orders/1']);
  });

  it('sends a POST once, and ends with an error of the client', async () => {
    const { origin, seen } = await serve(busy);
    const client = await make(origin, QUICK);
    const error = await client.post('orders', { item: 5 }).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({
      name: name === 'axios' ? 'AxiosError' : 'HTTPError',
      response: { [name === 'got' ? 'statusCode' : 'status']: 503 },
    });
    expect(seen).toEqual([{ method: 'POST', url: '/orders', body: '{"item":5}' }]);
  });

  it('opens a breaker, which ends the calls that follow', async () => {
    const { origin, seen } = await serve(busy);
    const client = await make(origin, BRITTLE);
    await expect(client.get('orders/1')).rejects.toThrow();
    const error = await client.get('orders/1').catch((thrown: unknown) => thrown);
    const codes = [error, (error as Error).cause].map((one) => (one as { code?: unknown })?.code);
    expect(codes).toContain('CIRCUIT_OPEN');
    expect(seen).toHaveLength(1);
  });

  it('gets the whole of a body that breaks', async () => {
    const { origin, seen } = await serve(broken);
    const client = await make(origin, QUICK);
    if (name === 'got') {
      // got reads the body itself: the attempt fails, and is made again in full.
      await expect(client.get('orders/1')).rejects.toThrow();
      expect(seen).toHaveLength(3);
    } else {
      expect(await client.get('orders/1')).toEqual({ id: 1 });
      expect(seen).toHaveLength(2);
    }
  });
});

describe.each(HTTP.slice(0, 2))('the recipe for %s', (_, make) => {
  it('retries a POST with an Idempotency-Key, with its body', async () => {
    const { origin, seen } = await serve(busy, cut, json({ id: 2 }));
    const client = await make(origin, QUICK);
    const headers = { 'Idempotency-Key': 'order-2' };
    expect(await client.post('orders', { item: 5 }, headers)).toEqual({ id: 2 });
    expect(seen.map(({ body }) => body)).toEqual(['{"item":5}', '{"item":5}', '{"item":5}']);
  });
});

describe('the recipe for got', () => {
  it('sends a body that is a stream once, and ends with the error of the server', async () => {
    const { createClient } = await recipe<{
      createClient(origin: string, options: object): GotCall;
    }>('got');
    function* pieces() {
      yield Buffer.from('or');
      yield Buffer.from('der');
    }
    for (const body of [Readable.from(['or', 'der']), pieces()]) {
      const { origin, seen } = await serve(busy);
      const put = createClient(origin, QUICK)('orders/1', { method: 'PUT', body });
      await expect(put).rejects.toMatchObject({ response: { statusCode: 503 } });
      expect(seen.map((each) => each.body)).toEqual(['order']);
    }
  });
});

describe('the recipe for @aws-sdk', () => {
  const common = { region: 'eu-1', credentials: { accessKeyId: 'a', secretAccessKey: 's' } };
  const handler = async (options: object = {}) => {
    const { ResilientHandler } = await recipe<{
      ResilientHandler: new (options: object) => AwsHandler;
    }>('aws-sdk');
    return new ResilientHandler(options);
  };

  it('leaves the retry to the SDK, throttles included', async () => {
    const throttled: Answer = (response) => {
      response.writeHead(400, { 'x-amzn-errortype': 'ThrottlingException' });
      response.end('{"__type":"ThrottlingException"}');
    };
    const { origin, seen } = await serve(throttled, cut, json({ TableNames: ['orders'] }));
    const requestHandler = await handler();
    const client = new DynamoDBClient({
      ...common,
      endpoint: origin,
      requestHandler,
      maxAttempts: 3,
    });
    const { TableNames } = await client.send(new ListTablesCommand({}));
    expect([TableNames, seen.length]).toEqual([['orders'], 3]);
  });

  it('opens a breaker, which the SDK does not retry', async () => {
    const { origin, seen } = await serve(busy);
    const requestHandler = await handler({ breaker: BRITTLE.breaker });
    const client = new DynamoDBClient({
      ...common,
      endpoint: origin,
      requestHandler,
      maxAttempts: 1,
    });
    await expect(client.send(new ListTablesCommand({}))).rejects.toThrow();
    const again = client.send(new ListTablesCommand({}));
    await expect(again).rejects.toMatchObject({ code: 'CIRCUIT_OPEN' });
    expect(seen).toHaveLength(1);
    expect(requestHandler.stats().breakers[origin]?.state).toBe('open');
  });

  async function s3(...answers: Answer[]) {
    const { origin, seen } = await serve(...answers);
    const requestHandler = await handler();
    const client = new S3Client({
      ...common,
      endpoint: origin,
      requestHandler,
      forcePathStyle: true,
    });
    onTestFinished(() => client.destroy());
    return { client, seen };
  }

  it('sends an object that is a stream', async () => {
    const { client, seen } = await s3((response) => response.end());
    const Body = Readable.from([Buffer.from('con'), Buffer.from('tent')]);
    await client.send(new PutObjectCommand({ Bucket: 'b', Key: 'k', Body, ContentLength: 7 }));
    expect(seen.map(({ body }) => body)).toEqual([expect.stringMatching(/con[\s\S]*tent/)]);
  });

  it('sends path and query as they were signed', async () => {
    const { client, seen } = await s3((response) => response.end('<ListBucketResult/>'));
    await client.send(new GetObjectCommand({ Bucket: 'b', Key: '../a b/./ü+&=?#%' }));
    await client.send(new ListObjectsV2Command({ Bucket: 'b', Prefix: "a b*'(~)/" }));
    const [object, list] = seen.map(({ url }) => url);
    expect(object).toMatch(/^\/b\/\.\.\/a%20b\/\.\/%C3%BC%2B%26%3D%3F%23%25\?/);
    expect(list).toContain('prefix=a%20b%2A%27%28~%29%2F');
  });

  it('leaves redirects to the SDK, and the bytes of an object as they are stored', async () => {
    const stored = gzipSync('content');
    const { client, seen } = await s3(
      (response) => response.writeHead(301, { location: '/elsewhere' }).end(),
      (response) => response.writeHead(200, { 'content-encoding': 'gzip' }).end(stored),
    );
    const get = new GetObjectCommand({ Bucket: 'b', Key: 'k' });
    await expect(client.send(get)).rejects.toMatchObject({ $metadata: { httpStatusCode: 301 } });
    const { Body } = await client.send(get);
    expect(Buffer.from((await Body?.transformToByteArray()) ?? [])).toEqual(stored);
    expect(seen).toHaveLength(2);
  });

  it('ends a request that is aborted', async () => {
    const { client, seen } = await s3(() => {});
    const controller = new AbortController();
    const { signal: abortSignal } = controller;
    const get = client.send(new GetObjectCommand({ Bucket: 'b', Key: 'k' }), { abortSignal });
    const failed = expect(get).rejects.toMatchObject({ name: 'AbortError' });
    await expect.poll(() => seen.length).toBe(1);
    controller.abort();
    await failed;
    expect(seen).toHaveLength(1);
  });

  it('carries the bodies of objects, and ends one that stalls', async () => {
    const { origin, seen } = await serve(
      (response) => response.end(),
      (response) => response.end('content'),
      (response) => response.writeHead(200).write('beginning'),
    );
    const requestHandler = await handler({ bodyIdleTimeoutMs: 50 });
    const client = new S3Client({
      ...common,
      endpoint: origin,
      requestHandler,
      forcePathStyle: true,
    });
    const object = { Bucket: 'b', Key: 'k' };
    await client.send(new PutObjectCommand({ ...object, Body: 'content' }));
    expect(seen[0]).toMatchObject({ method: 'PUT', body: expect.stringContaining('content') });
    const whole = await client.send(new GetObjectCommand(object));
    expect(await whole.Body?.transformToString()).toBe('content');
    const stalled = await client.send(new GetObjectCommand(object));
    await expect(stalled.Body?.transformToString()).rejects.toMatchObject({
      code: 'OPERATION_TIMEOUT',
    });
  });
});

describe('the recipe for @grpc/grpc-js', () => {
  const PATH = '/orders.Orders/Get';
  const asIs = (bytes: Buffer): Buffer => bytes;
  const method = {
    path: PATH,
    requestStream: false,
    responseStream: false,
    requestSerialize: asIs,
    requestDeserialize: asIs,
    responseSerialize: asIs,
    responseDeserialize: asIs,
  } as const;

  let guardedBy: (policy: Policy) => Interceptor;
  beforeEach(async () => {
    ({ guardedBy } = await recipe<{ guardedBy: (policy: Policy) => Interceptor }>('grpc'));
  });

  /** A server that ends its calls with these codes, the last one again and again. */
  async function start(...codes: number[]) {
    let calls = 0;
    const server = new Server();
    const call = (
      { request }: { request: Buffer },
      callback: (error: Partial<ServiceError> | null, value?: Buffer) => void,
    ): void => {
      const code = codes[Math.min(calls++, codes.length - 1)];
      if (code === undefined) return; // never answers
      if (code === status.OK) callback(null, Buffer.from(`got ${request}`));
      else callback({ code, details: 'as asked' });
    };
    server.addService({ call: method }, { call: call as never });
    const port = await new Promise<number>((resolve) => {
      const address = '127.0.0.1:0';
      server.bindAsync(address, ServerCredentials.createInsecure(), (_, bound) => resolve(bound));
    });
    onTestFinished(() => server.forceShutdown());
    return { port, calls: () => calls };
  }

  function ask(port: number, policy: Policy, options: CallOptions = {}) {
    const interceptors = [guardedBy(policy)];
    const client = new Client(`127.0.0.1:${port}`, credentials.createInsecure(), { interceptors });
    onTestFinished(() => client.close());
    let call: { cancel(): void } | undefined;
    const answer = new Promise<string>((resolve, reject) => {
      call = client.makeUnaryRequest(
        PATH,
        asIs,
        asIs,
        Buffer.from('order'),
        new Metadata(),
        options,
        (error: ServiceError | null, value?: Buffer) =>
          error === null ? resolve(String(value)) : reject(error),
      );
    });
    return { answer, cancel: () => call?.cancel() };
  }

  const policy = () => retry({ initialDelayMs: 0, maxAttempts: 3 });

  it('retries a call whose status is transient', async () => {
    const { port, calls } = await start(status.UNAVAILABLE, status.ABORTED, status.OK);
    expect(await ask(port, policy()).answer).toBe('got order');
    expect(calls()).toBe(3);
  });

  it('ends with the status of the server when that is the caller’s mistake', async () => {
    const { port, calls } = await start(status.NOT_FOUND);
    await expect(ask(port, policy()).answer).rejects.toMatchObject({
      code: status.NOT_FOUND,
      details: 'as asked',
    });
    expect(calls()).toBe(1);
  });

  it('ends with UNAVAILABLE while the circuit is open', async () => {
    const { port, calls } = await start(status.UNAVAILABLE);
    const guard = pipeline({}, circuitBreaker({ failureThreshold: 1, openDurationMs: 60_000 }));
    await expect(ask(port, guard).answer).rejects.toMatchObject({ details: 'as asked' });
    await expect(ask(port, guard).answer).rejects.toMatchObject({
      code: status.UNAVAILABLE,
      details: expect.stringMatching(/circuit/i),
    });
    expect(calls()).toBe(1);
  });

  it('gives the policy the time until the deadline of the call', async () => {
    const { port } = await start(status.OK);
    const given: unknown[] = [];
    const spy = {
      tryExecute: (attempt: never, options: { timeoutMs?: number }) => {
        given.push(options.timeoutMs);
        return policy().tryExecute(attempt, options);
      },
    } as never;
    for (const deadline of [undefined, Number.POSITIVE_INFINITY]) {
      const { answer } = ask(port, spy, deadline === undefined ? {} : { deadline });
      expect(await answer).toBe('got order');
    }
    const { answer } = ask(port, spy, { deadline: new Date(0) });
    await expect(answer).rejects.toMatchObject({ code: status.DEADLINE_EXCEEDED });
    expect(given).toEqual([undefined, Number.POSITIVE_INFINITY, 0]);
  });

  it('ends the call whatever the policy rejects with', async () => {
    const { port } = await start(status.OK);
    for (const error of [undefined, null, 'text', { code: 'E' }]) {
      const hostile = { tryExecute: async () => ({ ok: false, error }) } as never;
      const { answer } = ask(port, hostile);
      await expect(answer).rejects.toMatchObject({ code: status.UNAVAILABLE });
    }
  });

  it('ends a call that its caller cancels', async () => {
    const { port, calls } = await start(undefined as never);
    const { answer, cancel } = ask(port, policy());
    const failed = expect(answer).rejects.toMatchObject({ code: status.CANCELLED });
    await expect.poll(calls).toBe(1);
    cancel();
    await failed;
    expect(calls()).toBe(1);
  });
});

it('covers every recipe', async () => {
  const pages = await readdir(new URL('../../docs/recipes/', import.meta.url));
  expect(pages.toSorted()).toEqual(['aws-sdk.md', 'axios.md', 'got.md', 'grpc.md', 'ky.md']);
});
