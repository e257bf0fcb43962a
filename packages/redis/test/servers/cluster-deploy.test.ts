import { Cluster } from 'ioredis';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { shardOf } from '../../src/shards.ts';
import { CLIENT_KINDS } from '../clients.ts';
import { RedisCluster } from '../redis-cluster.ts';
import { describeWithRedis } from '../redis-server.ts';
import { DeployFleet, type DeployLimit, type DeployReport } from './deploy-fleet.ts';
import { mostWithin, wanted } from './fleet.ts';

const PROCESSES = 8;
const SECOND = 1000;
/** Units per second before the deploy and after it. */
const OLD = 10;
const NEW = 20;
const BURST = 10;
/** How often each process asks about each key: more often in all than the new limit allows. */
const EVERY_MS = 100;
/** How late anything may be on a machine that does not stall. */
const SLACK_MS = 400;

/** The limits, with this many units per second. */
const limits = (limit: number): DeployLimit[] => {
  const rate = { limit, windowMs: SECOND };
  const bucket = { ...rate, burst: BURST };
  return [
    { name: 'bucket', algorithm: 'token-bucket', mode: 'exact', rule: bucket },
    { name: 'leased', algorithm: 'token-bucket', mode: 'leased', rule: bucket },
    { name: 'sliding', algorithm: 'sliding-window', mode: 'exact', rule: rate },
    { name: 'fixed', algorithm: 'fixed-window', mode: 'exact', rule: rate },
  ];
};
const NAMES = limits(OLD).map(({ name }) => name);

/** Most units of a limit within a moment, as documented. */
const burstOf = (name: string, limit: number): number =>
  ({ bucket: BURST, leased: 1.5 * BURST, sliding: limit, fixed: 2 * limit })[name]!;

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
const now = (): number => performance.timeOrigin + performance.now();

let cluster: RedisCluster;
let fleet: DeployFleet;
beforeAll(async () => {
  // The masters that are left go on serving their slots.
  cluster = await RedisCluster.start({
    'cluster-require-full-coverage': 'no',
    'cluster-node-timeout': '1000',
  });
  fleet = new DeployFleet();
});
afterAll(async () => {
  await fleet.stop();
  await cluster.stop();
});

/** One busy key of each limit on each master, in the order of the masters. */
async function busyKeys(): Promise<string[][]> {
  const client = new Cluster(cluster.ports.map((port) => ({ host: '127.0.0.1', port })));
  await client.ping();
  const masters = cluster.ports.map((port) => `127.0.0.1:${port}`);
  // A master that the machine has let wait may be missed for a moment: no slot is its then.
  await expect
    .poll(async () => {
      await new Promise((resolve) => client.refreshSlotsCache(resolve));
      return [...new Set(client.slots.map(([master]) => master))].sort();
    })
    .toEqual([...masters].sort());
  const keys = NAMES.map((name) =>
    masters.map((master) => {
      for (let i = 0; ; i++) {
        const key = `busy-${i}`;
        const stored = `temper:rate:{${name.length}:${name}:${key.length}:${key}}`;
        if (shardOf(client, stored) === master) return key;
      }
    }),
  );
  client.disconnect();
  return keys;
}

describeWithRedis('a rolling deploy over a cluster of three masters', () => {
  it('keeps every limit and refuses no key that should pass, with processes and a master killed', async () => {
    const busy = await busyKeys();
    const keys = NAMES.flatMap((name, i) => busy[i]!.map((key) => [name, key] as const));
    const start = (process: number, limit: number): Promise<void> =>
      fleet.start({
        ...{ process, kind: CLIENT_KINDS[process % 2]!, ports: cluster.ports },
        ...{ limits: limits(limit), keys, everyMs: EVERY_MS },
      });
    await Promise.all(Array.from({ length: PROCESSES }, (_, process) => start(process, OLD)));
    const ready = now();
    await pause(2500);
    const deploy = now();
    for (let process = 0; process < PROCESSES / 2; process += 2) {
      const pair = [process, process + 1];
      await Promise.all(pair.map((each) => fleet.kill(each).then(() => start(each, NEW))));
    }
    await pause(2000);
    const lost = now();
    await cluster.servers[2]!.kill();
    await pause(3500);
    const up = now();
    await cluster.servers[2]!.up();
    await pause(3000);
    const end = now();
    await fleet.stop();

    const { reports } = fleet;
    const kinds = (kind: string): DeployReport[] => reports.filter((each) => each.kind === kind);
    expect(kinds('error').map(({ name, key }) => `${name}: ${key}`)).toEqual([]);
    expect(kinds('refused')).toEqual([]);

    for (const [name, key, master] of NAMES.flatMap((each, i) =>
      busy[i]!.map((id, server) => [each, id, server] as const),
    )) {
      const label = `${name} on master ${master}`;
      const asked = reports.filter((each) => each.name === name && each.key === key);
      const passed = asked.filter(({ kind }) => kind === 'passed');
      // A call was granted at some time between its start and its answer.
      const slackMs = SLACK_MS + Math.max(...passed.map(({ sent, at }) => at - sent));
      const could = (from: number, to: number): number =>
        wanted(
          asked.map(({ at }) => at),
          from,
          to,
          OLD,
        );
      const within = (from: number, to: number): number =>
        passed.filter(({ at }) => at >= from && at < to).length;
      const allowed = (ms: number, limit: number): number =>
        burstOf(name, limit) + (limit * (ms + slackMs)) / SECOND;
      const until = master === 2 ? lost : end;
      const begin = Math.min(...passed.map(({ sent }) => sent));
      // The old limit until the deploy, and no more than the larger one from then on.
      expect(within(0, deploy), label).toBeLessThanOrEqual(allowed(deploy - begin, OLD));
      expect(within(deploy, until), label).toBeLessThanOrEqual(allowed(until - deploy, NEW));
      const before = passed.filter(({ at }) => at < until).map(({ at }) => at);
      expect(mostWithin(before, SECOND), label).toBeLessThanOrEqual(allowed(SECOND, NEW));
      // The limit is used: neither the deploy nor the loss of a master makes the fleet refuse more.
      expect(within(ready, until), label).toBeGreaterThan(0.5 * could(ready, until));
      if (master !== 2) continue;
      // The shares of the processes, and a limit that starts anew, add a burst each. A share is at least
      // one unit.
      const more = 2 * Math.max(burstOf(name, NEW), PROCESSES) + PROCESSES;
      expect(within(lost, end), label).toBeLessThanOrEqual(more + allowed(end - lost, NEW));
      expect(within(up + SECOND, end), label).toBeGreaterThan(0.3 * could(up + SECOND, end));
    }
  }, 120_000);
});
