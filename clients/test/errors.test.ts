import { circuitBreaker } from '@temper/breaker';
import { retry } from '@temper/retry';
import { describe, expect, it } from 'vitest';
import type { ErrorCase } from './case.ts';
import { awsCases } from './cases/aws.ts';
import { grpcCases } from './cases/grpc.ts';
import { httpCases } from './cases/http.ts';
import { kafkaCases } from './cases/kafka.ts';
import { mongodbCases } from './cases/mongodb.ts';
import { mysqlCases } from './cases/mysql.ts';
import { nodeCases } from './cases/node.ts';
import { pgCases } from './cases/pg.ts';
import { prismaCases } from './cases/prisma.ts';
import { prismaSqliteCases } from './cases/prisma-sqlite.ts';
import { redisCases } from './cases/redis.ts';
import { undiciCases } from './cases/undici.ts';
import { itJudges } from './judge.ts';
import { renderErrors } from './table.ts';

/** Those that need no server but what the test itself fakes. */
const faked: readonly ErrorCase[] = [
  ...httpCases,
  ...undiciCases,
  ...nodeCases,
  ...awsCases,
  ...grpcCases,
  ...mysqlCases,
  ...mongodbCases,
  ...kafkaCases,
  ...prismaSqliteCases,
];

describe('the error of a real client', () => {
  itJudges(faked);
});

describe('a call that its caller cancels', () => {
  const cancelled = faked.filter(
    ({ provoke, verdict }) => verdict === 'abort' && provoke.length > 1,
  );

  it.each(cancelled)('$client: is not repeated and not counted', async ({ provoke }) => {
    const controller = new AbortController();
    const enough = new Error('enough');
    const breaker = circuitBreaker({ name: 'b', failureThreshold: 1 });
    const policy = retry({ name: 'r', maxAttempts: 3 });
    let calls = 0;
    const call = policy.execute(
      () =>
        breaker.execute(
          async () => {
            calls++;
            throw await provoke(controller.signal, () => controller.abort(enough));
          },
          { signal: controller.signal },
        ),
      { signal: controller.signal },
    );
    await expect(call).rejects.toBe(enough);
    expect({ calls, state: breaker.state }).toEqual({ calls: 1, state: 'closed' });
  });

  it('covers every client with a way to cancel', () => {
    expect(cancelled.map(({ client }) => client).toSorted()).toEqual([
      '@aws-sdk v3',
      '@grpc/grpc-js',
      'axios',
      'fetch of Node',
      'got',
      'ky',
      'node-fetch',
      'node:http',
      'superagent',
      'undici',
    ]);
  });
});

const unprovoked = (): never => {
  throw new Error('A server is needed, and is had in test/servers.');
};
const all: readonly ErrorCase[] = [
  ...faked,
  ...pgCases(unprovoked),
  ...prismaCases(unprovoked),
  ...redisCases(unprovoked),
];

describe('docs/errors.md', () => {
  it('has the cases of the suites', async () => {
    await expect(renderErrors(all)).toMatchFileSnapshot('../../docs/errors.md');
  });

  it('has more than sixty errors, of every client that its text names', () => {
    const clients = new Set(all.map(({ client }) => client));
    console.log(`${all.length} errors of ${clients.size} clients`);
    expect(all.length).toBeGreaterThan(60);
    expect(clients.size).toBeGreaterThan(15);
  });

  it('names no error of a client twice', () => {
    const keys = all.map(({ client, happened }) => `${client}: ${happened}`);
    expect(new Set(keys).size).toBe(keys.length);
  });
});
