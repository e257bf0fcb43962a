import { writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parserCraftConfig } from '../../src/generated-files.ts';
import { rulesYaml } from '../../src/rules/files.ts';
import {
  ALERTMANAGER,
  available,
  type DemoService,
  eventually,
  freePort,
  PROMETHEUS,
  type Program,
  start,
  startDemo,
  temporaryFolder,
} from './programs.ts';

const run = available({ prometheus: PROMETHEUS, alertmanager: ALERTMANAGER });

/** The response of Prometheus to an instant query. */
interface QueryAnswer {
  readonly status: string;
  readonly error?: string;
  readonly data: {
    readonly result: readonly {
      readonly metric: Record<string, string>;
      readonly value: readonly [number, string];
    }[];
  };
}

interface Notification {
  readonly status: 'firing' | 'resolved';
  readonly alerts: readonly {
    readonly status: 'firing' | 'resolved';
    readonly labels: Readonly<Record<string, string>>;
    readonly annotations: Readonly<Record<string, string>>;
  }[];
}

/** A webhook receiver in place of a pager. */
async function webhook(): Promise<{ port: number; server: Server; heard: Notification[] }> {
  const heard: Notification[] = [];
  const server = createServer((request, response) => {
    let body = '';
    request.on('data', (chunk) => {
      body += chunk;
    });
    request.on('end', () => {
      heard.push(JSON.parse(body));
      response.end();
    });
  });
  const port = await freePort();
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  return { port, server, heard };
}

describe.runIf(run)('the rules in a real Prometheus', () => {
  const folder = temporaryFolder();
  const programs: Program[] = [];
  let demo: DemoService;
  let pager: Awaited<ReturnType<typeof webhook>>;
  let prometheusUrl: string;

  const query = async (
    expr: string,
  ): Promise<{ metric: Record<string, string>; value: number }[]> => {
    const url = `${prometheusUrl}/api/v1/query?query=${encodeURIComponent(expr)}`;
    const answer = (await (await fetch(url)).json()) as QueryAnswer;
    if (answer.status !== 'success') throw new Error(`${expr}: ${answer.error}`);
    return answer.data.result.map((one) => ({
      metric: one.metric,
      value: Number(one.value[1]),
    }));
  };
  const fault = async (name: string, on: boolean): Promise<void> => {
    const response = await fetch(`${demo.url}/v1/faults`, {
      method: 'POST',
      headers: { authorization: `Bearer ${demo.token}`, 'content-type': 'application/json' },
      body: JSON.stringify({ name, on }),
    });
    expect(response.status, await response.clone().text()).toBe(200);
  };

  beforeAll(async () => {
    demo = await startDemo(join(folder.path, 'demo'));
    programs.push(demo);
    pager = await webhook();
    const [prometheusPort, alertmanagerPort] = [await freePort(), await freePort()];
    prometheusUrl = `http://127.0.0.1:${prometheusPort}`;
    // The shipped rules with a shorter interval, an earlier resolution, and with the runbook URLs of the service.
    writeFileSync(
      join(folder.path, 'rules.yaml'),
      rulesYaml({ ...parserCraftConfig(), runbooks: `${demo.url}/v1/runbooks` })
        .replaceAll('.md', '')
        .replaceAll('interval: 15s', 'interval: 1s')
        // What it is for is seen in paging.test.ts.
        .replaceAll(/keep_firing_for: \d+m/g, 'keep_firing_for: 5s'),
    );
    writeFileSync(
      join(folder.path, 'prometheus.yaml'),
      `global: { scrape_interval: 1s, evaluation_interval: 1s }
rule_files: [${join(folder.path, 'rules.yaml')}]
alerting: { alertmanagers: [{ static_configs: [{ targets: ['127.0.0.1:${alertmanagerPort}'] }] }] }
scrape_configs:
  - { job_name: parsercraft, static_configs: [{ targets: ['127.0.0.1:${demo.metricsPort}'] }] }
`,
    );
    writeFileSync(
      join(folder.path, 'alertmanager.yaml'),
      `route: { receiver: pager, group_by: [job, alertname], group_wait: 1s, group_interval: 1s, repeat_interval: 1h }
receivers: [{ name: pager, webhook_configs: [{ url: 'http://127.0.0.1:${pager.port}', send_resolved: true }] }]
`,
    );
    programs.push(
      start(PROMETHEUS as string, [
        `--config.file=${join(folder.path, 'prometheus.yaml')}`,
        `--storage.tsdb.path=${join(folder.path, 'tsdb')}`,
        `--web.listen-address=127.0.0.1:${prometheusPort}`,
      ]),
      start(ALERTMANAGER as string, [
        `--config.file=${join(folder.path, 'alertmanager.yaml')}`,
        `--storage.path=${join(folder.path, 'alertmanager')}`,
        `--web.listen-address=127.0.0.1:${alertmanagerPort}`,
        '--cluster.listen-address=',
      ]),
    );
    await eventually(
      async () => ((await query('up == 1')).length > 0 ? true : undefined),
      'Prometheus to scrape the service',
    );
  }, 300_000);

  afterAll(async () => {
    await Promise.all(programs.map((program) => program.stop()));
    pager?.server.close();
    folder[Symbol.dispose]();
  });

  it('count calls and fire no alert while the service is healthy', async () => {
    const successes = () => query('sum(temper_breaker_calls_total{temper_outcome="success"})');
    const before = (await eventually(async () => (await successes())[0], 'the first counted call'))
      .value;
    await eventually(
      async () => (((await successes())[0]?.value ?? 0) > before ? true : undefined),
      'more counted calls',
    );
    expect(await query('ALERTS{alertname="TemperCircuitOpen",alertstate="firing"}')).toEqual([]);
  });

  it('page for the open circuit of an outage in time, link to its runbook, and resolve', async () => {
    await fault('registry-outage', true);
    const begun = performance.now();
    await eventually(
      async () =>
        (
          await query(
            'temper_breaker_state{temper_policy_name="registry_fetch",temper_breaker_state="open"} == 1',
          )
        )[0],
      'the circuit to open',
      20_000,
    );
    const page = await eventually(
      async () =>
        pager.heard
          .flatMap(({ alerts }) => alerts)
          .find((one) => one.labels.alertname === 'TemperCircuitOpen' && one.status === 'firing'),
      'the page',
      120_000,
    );
    // `for: 1m`, not earlier.
    expect(performance.now() - begun).toBeGreaterThan(60_000);
    expect(page.labels).toMatchObject({ severity: 'page', temper_policy_name: 'registry_fetch' });
    const runbook = await fetch(page.annotations.runbook_url as string);
    expect(runbook.status).toBe(200);
    expect(await runbook.text()).toContain('circuit_breaker_open');

    await fault('registry-outage', false);
    await eventually(
      async () =>
        pager.heard
          .flatMap(({ alerts }) => alerts)
          .find((one) => one.labels.alertname === 'TemperCircuitOpen' && one.status === 'resolved'),
      'the resolved page',
      100_000,
    );
  }, 300_000);

  it('compute every recording rule', async () => {
    for (const record of [
      'temper:breaker_calls:error_ratio_rate5m',
      'temper:breaker_call_duration:p99_rate5m',
      'temper:breaker_calls:increase1h',
      'temper:breaker_failures:increase6h',
      'temper:instances:count',
    ]) {
      await eventually(
        async () => ((await query(record)).length > 0 ? true : undefined),
        record,
        60_000,
      );
    }
  });

  it('count one duration for every call that was made', async () => {
    const [counted] = await query(
      'sum(temper_breaker_call_duration_count{temper_policy_name="registry_fetch"})',
    );
    const [called] = await query(
      'sum(temper_breaker_calls_total{temper_policy_name="registry_fetch",temper_outcome!="rejected"})',
    );
    expect(counted?.value).toBeGreaterThan(0);
    expect(counted?.value).toBe(called?.value);
  });

  it('agree with the quantiles measured by the service within the width of a bucket', async () => {
    // Both windows must be free of the fault of an earlier test.
    const closed =
      'temper_breaker_state{temper_policy_name="registry_fetch",temper_breaker_state="closed"}';
    const calm = `min_over_time(${closed}[40s]) == 1`;
    await eventually(
      async () => ((await query(calm)).length > 0 ? true : undefined),
      'the circuit to be closed for forty seconds',
      100_000,
    );
    // The service measures the durations of the same calls per second, without buckets.
    const measured = await secondsOf(demo.url, 'fetch_package');
    const halfMinute = measured.slice(-30).filter(({ calls }) => calls > 0);
    expect(halfMinute.length).toBeGreaterThan(10);
    const calls = halfMinute.reduce((sum, one) => sum + one.calls, 0);
    const mean = halfMinute.reduce((sum, one) => sum + one.p50Ms * one.calls, 0) / calls;
    const [median] = await query(
      'histogram_quantile(0.5, sum by (le) (rate(temper_breaker_call_duration_bucket{temper_policy_name="registry_fetch",temper_outcome="success"}[30s])))',
    );
    const bucketStep = 2.5; // the widest step between two boundaries
    expect((median?.value ?? 0) * 1000).toBeGreaterThan(mean / bucketStep);
    expect((median?.value ?? 0) * 1000).toBeLessThan(mean * bucketStep);
  });
});

/** Per-second measurements of an operation, from the `hello` event of the service. */
async function secondsOf(
  url: string,
  operation: string,
): Promise<readonly { readonly calls: number; readonly p50Ms: number }[]> {
  const response = await fetch(`${url}/v1/events`);
  let text = '';
  for await (const chunk of response.body ?? []) {
    text += new TextDecoder().decode(chunk);
    const hello = /event: hello\ndata: (.*)\n\n/.exec(text)?.[1];
    if (hello === undefined) continue;
    const { history } = JSON.parse(hello) as {
      history: readonly { operations: Record<string, { calls: number; p50Ms: number }> }[];
    };
    return history.flatMap(({ operations }) => operations[operation] ?? []);
  }
  throw new Error('The event stream ended without a hello event.');
}
