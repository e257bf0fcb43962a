import { type CircuitBreaker, circuitBreaker } from '@temper/breaker';
import { sharedCircuit } from '@temper/breaker/shared';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { redisStore } from '../../src/index.ts';
import { CLIENT_KINDS, type Connection, connectTo } from '../clients.ts';
import { describeWithRedis, RedisServer } from '../redis-server.ts';

let server: RedisServer;
beforeAll(async () => {
  server = await RedisServer.start();
});
afterAll(() => server.stop());

const FAILURE = new Error('The bank does not answer.');
/** Long beside what a slow machine needs to ask every node. */
const OPEN_MS = 3000;

/** A node with its own connection, store and breaker. */
interface Node {
  readonly connection: Connection;
  readonly breaker: CircuitBreaker;
  /** Calls that reached the operation. */
  called: number;
}

let nodes: Node[] = [];
let circuits = 0;

afterEach(async () => {
  for (const { connection } of nodes) await connection.close();
});

const call = (node: Node, operation: () => Promise<unknown>): Promise<unknown> =>
  node.breaker
    .execute(async () => {
      node.called++;
      return operation();
    })
    .catch((error: unknown) => error);
const succeed = (node: Node): Promise<unknown> => call(node, async () => 'ok');
const fail = (node: Node): Promise<unknown> => call(node, () => Promise.reject(FAILURE));
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
const states = (): string[] => nodes.map(({ breaker }) => breaker.state);

/** Calls on every node until each has reported and received the state. */
async function traffic(ms: number): Promise<void> {
  const end = performance.now() + ms;
  while (performance.now() < end) {
    await Promise.all(nodes.map((node) => succeed(node)));
    await pause(10);
  }
}

describeWithRedis('the circuit of a fleet', () => {
  for (const kind of CLIENT_KINDS) {
    suite(kind);
  }
});

function suite(kind: (typeof CLIENT_KINDS)[number]): void {
  beforeEach(async () => {
    const circuit = `bank-${circuits++}`;
    nodes = await Promise.all(
      Array.from({ length: 5 }, async (_, i): Promise<Node> => {
        const connection = await connectTo(i % 2 === 0 ? kind : 'ioredis', server.port);
        const store = redisStore({ client: connection.client, commandTimeoutMs: 5000 });
        const breaker = circuitBreaker({
          name: circuit,
          failureThreshold: 3,
          openDurationMs: OPEN_MS,
          shared: sharedCircuit({
            store,
            node: `node-${i}`,
            reportIntervalMs: 20,
            timeoutMs: 5000,
          }),
        });
        return { connection, breaker, called: 0 };
      }),
    );
    await traffic(200);
  });

  it(`is not opened by one failing node: ${kind}`, async () => {
    for (let i = 0; i < 3; i++) await fail(nodes[0]!);
    expect(states()[0]).toBe('open');
    const others = nodes.slice(1);
    for (let round = 0; round < 20; round++) {
      for (const answer of await Promise.all(others.map(succeed))) expect(answer).toBe('ok');
      await pause(10);
    }
    expect(states().slice(1)).toEqual(['closed', 'closed', 'closed', 'closed']);
  });

  it(`is opened by a majority of nodes, tried by one call, and closed on all nodes: ${kind}`, async () => {
    for (const node of nodes.slice(0, 3)) for (let i = 0; i < 3; i++) await fail(node);
    // The two nodes without failures follow.
    await expect.poll(() => traffic(20).then(states)).not.toContain('closed');
    const opened = performance.now();
    for (const node of nodes) {
      node.called = 0;
      expect(await succeed(node)).toMatchObject({ code: 'CIRCUIT_OPEN' });
    }
    expect(nodes.map(({ called }) => called)).toEqual([0, 0, 0, 0, 0]);

    // All nodes call at the same time; the trial is slow, so that the other calls arrive during it.
    const end = Promise.withResolvers<string>();
    let running = 0;
    let most = 0;
    const trial = async (): Promise<string> => {
      most = Math.max(most, ++running);
      const answer = await end.promise;
      running--;
      return answer;
    };
    while (running === 0) {
      expect(performance.now() - opened).toBeLessThan(30_000);
      for (const node of nodes) for (let i = 0; i < 4; i++) void call(node, trial);
      await pause(20);
    }
    for (let round = 0; round < 10; round++) {
      for (const node of nodes) for (let i = 0; i < 4; i++) void call(node, trial);
      await pause(20);
    }
    expect(most).toBe(1);
    expect(nodes.reduce((sum, { called }) => sum + called, 0)).toBe(1);

    end.resolve('ok');
    await expect
      .poll(() => traffic(20).then(states), { timeout: 20_000 })
      .toEqual(Array.from({ length: 5 }, () => 'closed'));
    for (const node of nodes) expect(await succeed(node)).toBe('ok');
  });

  it(`is opened again by a failed trial: ${kind}`, async () => {
    for (const node of nodes.slice(0, 3)) for (let i = 0; i < 3; i++) await fail(node);
    await expect.poll(() => traffic(20).then(states)).not.toContain('closed');
    for (const node of nodes) node.called = 0;
    const tried = (): number => nodes.reduce((sum, { called }) => sum + called, 0);
    while (tried() === 0) {
      await Promise.all(nodes.map(fail));
      await pause(10);
    }
    await pause(100);
    const after = tried();
    // No call passes on any node for another open duration.
    await Promise.all(nodes.map(fail));
    expect(tried()).toBe(after);
    expect(after).toBe(1);
  });
}
