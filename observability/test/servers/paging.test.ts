import { writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { alertmanagerYaml } from '../../src/alertmanager.ts';
import { readConfig } from '../../src/mixin/read-config.ts';
import { ALERT_NAMES, ALERTS } from '../../src/rules/alerts/index.ts';
import { rulesYaml } from '../../src/rules/files.ts';
import { Member, Targets } from './fleet/fleet.ts';
import { HELD_BYTES, type Kind, SLOW_MS } from './fleet/kinds.ts';
import { scaledRouting, scaledRules } from './fleet/scaled.ts';
import {
  ALERTMANAGER,
  available,
  eventually,
  freePort,
  PROMETHEUS,
  type Program,
  REDIS,
  start,
  temporaryFolder,
} from './programs.ts';

const run = available({ prometheus: PROMETHEUS, alertmanager: ALERTMANAGER, redis: REDIS });

/** A service of the fleet, and all alerts that its fault raises. */
interface ServiceCase {
  /** An instance of each, of which the first has the fault unless all have it. */
  readonly kinds: readonly Kind[];
  readonly all?: boolean;
  /** How the fault begins and ends where the processes do not do it themselves. */
  readonly fault?: 'stop the store' | 'kill' | 'remove';
  readonly alerts: readonly string[];
  /** Alerts that are sent when the one that explains them is over, because their windows are longer. */
  readonly later?: readonly string[];
  /** Alerts that fire besides and are not sent, because one of the others explains them. */
  readonly explained?: readonly string[];
}

/** What a circuit that is open explains, if its calls are many. */
const OUTAGE = {
  alerts: ['TemperCircuitOpen'],
  later: ['TemperErrorBudgetBurnSlow'],
  explained: ['TemperErrorRateHigh', 'TemperErrorBudgetBurn'],
};

const SERVICES: Readonly<Record<string, ServiceCase>> = {
  circuit: { kinds: ['circuit'], alerts: ['TemperCircuitOpen'] },
  outage: { kinds: ['outage'], ...OUTAGE },
  flapping: { kinds: ['flapping'], alerts: ['TemperCircuitFlapping'] },
  burning: {
    kinds: ['burning'],
    alerts: ['TemperErrorRateHigh', 'TemperErrorBudgetBurn'],
    later: ['TemperErrorBudgetBurnSlow'],
  },
  smouldering: {
    kinds: ['smouldering'],
    alerts: ['TemperErrorRateHigh', 'TemperErrorBudgetBurnSlow'],
  },
  exhausted: { kinds: ['exhausted'], alerts: ['TemperRetriesExhausted'] },
  budget: { kinds: ['budget'], alerts: ['TemperRetryBudgetSpent'] },
  slow: { kinds: ['slow'], alerts: ['TemperLatencyHigh'] },
  limited: { kinds: ['limited'], alerts: ['TemperRateLimited'] },
  store: {
    kinds: ['store'],
    fault: 'stop the store',
    // The store has a circuit of its own.
    ...OUTAGE,
    alerts: ['TemperStoreUnreachable', ...OUTAGE.alerts],
  },
  forecast: { kinds: ['forecast'], alerts: ['TemperFailurePredicted'] },
  check: { kinds: ['check'], alerts: ['TemperUnhealthy'] },
  crowd: {
    kinds: ['crowd', 'crowd', 'crowd', 'crowd', 'crowd'],
    alerts: ['TemperCircuitOpenOnInstance', 'TemperUnhealthyOnInstance'],
  },
  stopping: {
    kinds: ['hanging', 'locked'],
    all: true,
    alerts: ['TemperShutdownHung', 'TemperShutdownIncomplete'],
  },
  removed: { kinds: ['gone'], fault: 'remove', alerts: ['TemperTargetAbsent'] },
  killed: { kinds: ['gone', 'gone'], fault: 'kill', alerts: ['TemperTargetDown'] },
  busy: {
    kinds: ['busy'],
    alerts: ['TemperMemoryHigh', 'TemperCpuHigh', 'TemperEventLoopBusy'],
  },
  refusing: { kinds: ['refusing'], alerts: ['TemperAuditLoss'] },
  holding: { kinds: ['holding'], alerts: ['TemperAuditNotDurable'] },
  shipping: { kinds: ['shipping'], alerts: ['TemperAuditBehind'] },
};

/** What Alertmanager has sent for one alert, in order. */
interface Sent {
  readonly job: string;
  readonly alert: string;
  readonly receiver: string;
  readonly status: 'firing' | 'resolved';
}

const expected = Object.entries(SERVICES).flatMap(([job, { alerts, later = [] }]) =>
  [...alerts, ...later].map((alert) => `${job} ${alert}`),
);

describe.runIf(run)('every alert, from a fault of real policies', () => {
  const folder = temporaryFolder();
  const targets = new Targets(folder.path);
  const members = new Map<string, readonly Member[]>();
  const programs: Program[] = [];
  const sent: Sent[] = [];
  let receiver: Server;
  let prometheus: string;
  let redisPort: number;
  let redis: Program;

  const startRedis = (): Program =>
    start(REDIS as string, ['--port', String(redisPort), '--bind', '127.0.0.1', '--save', '']);

  /** The alerts in a state, as `job alert`. */
  const alertsIn = async (state: 'firing' | 'pending'): Promise<ReadonlySet<string>> => {
    const query = encodeURIComponent(`ALERTS{alertstate="${state}"}`);
    const response = await fetch(`${prometheus}/api/v1/query?query=${query}`);
    const { data } = (await response.json()) as {
      data: { result: { metric: Record<string, string> }[] };
    };
    return new Set(data.result.map(({ metric }) => `${metric.job} ${metric.alertname}`));
  };

  /** What was sent with a status, as `job alert`. */
  const heardOf = (wanted: Sent['status']): ReadonlySet<string> =>
    new Set(
      sent.flatMap(({ job, alert, status }) => (status === wanted ? [`${job} ${alert}`] : [])),
    );

  const set = async (job: string, on: boolean): Promise<void> => {
    const { fault, all } = SERVICES[job] as ServiceCase;
    const [first, ...others] = members.get(job) as [Member, ...Member[]];
    if (fault === 'stop the store') {
      if (on) await redis.stop();
      else redis = startRedis();
    } else if (fault !== undefined) {
      if (on) await first.kill();
      else await first.start();
      if (fault === 'remove') targets.set(job, on ? others : [first, ...others]);
    } else {
      const faulty = all === true ? [first, ...others] : [first];
      await Promise.all(faulty.map((member) => member.say(on ? 'fault' : 'calm')));
    }
  };

  beforeAll(async () => {
    const receiverPort = await freePort();
    receiver = createServer(async (request, response) => {
      const chunks: Buffer[] = [];
      for await (const chunk of request) chunks.push(chunk as Buffer);
      const { alerts } = JSON.parse(Buffer.concat(chunks).toString()) as {
        alerts: { status: Sent['status']; labels: Record<string, string> }[];
      };
      for (const { status, labels } of alerts) {
        const { job = '', alertname = '' } = labels;
        sent.push({ job, alert: alertname, receiver: request.url ?? '', status });
      }
      response.end();
    });
    await new Promise<void>((resolve) => receiver.listen(receiverPort, '127.0.0.1', resolve));

    redisPort = await freePort();
    redis = startRedis();
    const env = { ...process.env, FLEET_STORE: `redis://127.0.0.1:${redisPort}` };
    for (const [job, { kinds }] of Object.entries(SERVICES)) {
      const started = await Promise.all(kinds.map((kind) => Member.of(kind, env)));
      members.set(job, started);
      await Promise.all(started.map((member) => member.start()));
    }

    const alertmanagerPort = await freePort();
    const config = await configFor((members.get('busy') as [Member])[0]);
    writeFileSync(join(folder.path, 'rules.yaml'), scaledRules(rulesYaml(config)));
    writeFileSync(
      join(folder.path, 'alertmanager.yaml'),
      scaledRouting(alertmanagerYaml(config), `http://127.0.0.1:${receiverPort}`),
    );
    writeFileSync(
      join(folder.path, 'prometheus.yaml'),
      `global: { scrape_interval: 500ms, scrape_timeout: 500ms, evaluation_interval: 500ms }
rule_files: [rules.yaml]
alerting: { alertmanagers: [{ static_configs: [{ targets: ['127.0.0.1:${alertmanagerPort}'] }] }] }
scrape_configs: [{ job_name: fleet, file_sd_configs: [{ files: [targets.json] }] }]
`,
    );
    for (const [job, found] of members) targets.set(job, found);
    const prometheusPort = await freePort();
    prometheus = `http://127.0.0.1:${prometheusPort}`;
    programs.push(
      start(ALERTMANAGER as string, [
        `--config.file=${join(folder.path, 'alertmanager.yaml')}`,
        `--storage.path=${join(folder.path, 'alertmanager')}`,
        `--web.listen-address=127.0.0.1:${alertmanagerPort}`,
        '--cluster.listen-address=',
      ]),
      start(PROMETHEUS as string, [
        `--config.file=${join(folder.path, 'prometheus.yaml')}`,
        `--storage.tsdb.path=${join(folder.path, 'tsdb')}`,
        `--web.listen-address=127.0.0.1:${prometheusPort}`,
        '--query.lookback-delta=10s',
      ]),
    );
  }, 300_000);

  afterAll(async () => {
    await Promise.all([redis, ...programs].map((program) => program?.stop()));
    await Promise.all([...members.values()].flat().map((member) => member.kill()));
    receiver?.close();
    receiver?.closeAllConnections();
    folder[Symbol.dispose]();
  });

  it('is about all alerts', () => {
    const caused = new Set(expected.map((one) => one.split(' ')[1]));
    expect([...caused].sort()).toEqual([...ALERT_NAMES].sort());
  });

  it('is none while all services are well', async () => {
    // Three minutes of the rules: longer than what waits for less than a minute.
    const seen = 'count(min_over_time(up[6s]) == 1 and count_over_time(up[6s]) >= 10)';
    const instances = [...members.values()].flat().length;
    await eventually(async () => {
      const response = await fetch(`${prometheus}/api/v1/query?query=${encodeURIComponent(seen)}`);
      const { data } = (await response.json()) as { data: { result: { value: unknown[] }[] } };
      return Number(data.result[0]?.value[1]) === instances || undefined;
    }, 'all services to be seen');
    expect([...(await alertsIn('firing'))]).toEqual([]);
  }, 300_000);

  // Once only: a second try would begin among the notifications of the first.
  it('is sent once when it fires, and once when it is resolved', {
    retry: 0,
    timeout: 600_000,
  }, async () => {
    const ill = new Set(Object.keys(SERVICES));
    await Promise.all([...ill].map((job) => set(job, true)));
    await eventually(async () => {
      const firing = await alertsIn('firing');
      for (const job of ill) {
        const { alerts, later = [], explained = [] } = SERVICES[job] as ServiceCase;
        if (![...later, ...explained].every((alert) => firing.has(`${job} ${alert}`))) continue;
        // An alert that is over before Alertmanager has sent it is never sent.
        if (!alerts.every((alert) => heardOf('firing').has(`${job} ${alert}`))) continue;
        ill.delete(job);
        await set(job, false);
      }
      return ill.size === 0 || undefined;
    }, 'every alert to fire').catch((error) => {
      throw new Error(`${error.message} Not all alerts of: ${[...ill].join(', ')}`);
    });

    await eventually(
      async () => expected.every((one) => heardOf('resolved').has(one)) || undefined,
      'every alert to be resolved',
    ).catch((error) => {
      const missing = expected.filter((one) => !heardOf('resolved').has(one));
      throw new Error(`${error.message} Missing: ${missing.join(', ')}`);
    });
    expect([...(await alertsIn('firing'))]).toEqual([]);

    const severityOf = new Map(ALERTS.map(({ alert, severity }) => [alert, severity]));
    const told = (['firing', 'resolved'] as const).flatMap((status) =>
      expected.map((one) => {
        const severity = severityOf.get(one.split(' ')[1] as string);
        return `${one} ${status} to /${severity}s`;
      }),
    );
    const heard = sent.map(
      ({ job, alert, status, receiver: to }) => `${job} ${alert} ${status} to ${to}`,
    );
    expect(heard.toSorted()).toEqual(told.toSorted());
  });
});

/** Thresholds that a test machine can reach. */
async function configFor(
  busy: Member,
): ReturnType<typeof readConfig> extends infer Config ? Promise<Config> : never {
  const text = await busy.metrics();
  const value = (name: string): number =>
    Number(new RegExp(`^${name}(?:\\{.*\\})? (\\S+)`, 'm').exec(text)?.[1]);
  const used = value('process_memory_utilization');
  const limitBytes = value('process_memory_usage') / used;
  return readConfig(
    {
      thresholds: {
        memory: used + HELD_BYTES / 2 / limitBytes,
        // A twentieth of a core is ten times what it needs at rest, and what it gets on a busy machine.
        cpu: 0.05 / availableParallelism(),
      },
      policies: { search: { latencySeconds: SLOW_MS / 2_000 } },
    },
    ALERT_NAMES,
  );
}
