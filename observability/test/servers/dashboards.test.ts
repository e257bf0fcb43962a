import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { panelQueries } from '../../src/dashboards/grafana.ts';
import { DASHBOARDS } from '../../src/dashboards/index.ts';
import { usedPart } from '../../src/dashboards/panel.ts';
import { PARSERCRAFT } from '../../src/dashboards/parsercraft.ts';
import { parserCraftConfig } from '../../src/generated-files.ts';
import {
  available,
  type DemoService,
  eventually,
  freePort,
  PROMETHEUS,
  type Program,
  REDIS,
  start,
  startDemo,
  temporaryFolder,
} from './programs.ts';

const run = available({ prometheus: PROMETHEUS, 'redis-server': REDIS });

/** Time between two points of a graph, in seconds, and the window of its rates: four of them. */
const STEP_S = 5;
/** All scenarios one after the other take three minutes and a half. */
const LIMIT_MS = 900_000;

interface Scenarios {
  readonly running?: { readonly name: string };
  readonly scenarios: readonly {
    readonly name: string;
    readonly phases: readonly { readonly seconds: number }[];
  }[];
}

describe.runIf(run)('the dashboards of the demo, after its scenarios', () => {
  const folder = temporaryFolder();
  const programs: Program[] = [];
  const config = parserCraftConfig();
  const begun = Date.now() / 1_000;
  let demo: DemoService;
  let prometheus: string;

  const ask = async (path: string, method = 'GET'): Promise<Response> => {
    const response = await fetch(demo.url + path, {
      method,
      headers: { authorization: `Bearer ${demo.token}` },
    });
    if (!response.ok) throw new Error(`${path}: ${await response.text()}`);
    return response;
  };
  const scenarios = async (): Promise<Scenarios> =>
    (await (await ask('/v1/scenarios')).json()) as Scenarios;

  beforeAll(async () => {
    const [storePort, port] = [await freePort(), await freePort()];
    const store = start(REDIS as string, [
      '--port',
      String(storePort),
      '--bind',
      '127.0.0.1',
      '--save',
      '',
    ]);
    programs.push(store);
    demo = await startDemo(join(folder.path, 'demo'), {}, [
      '--store',
      `redis://127.0.0.1:${storePort}`,
    ]);
    programs.push(demo);
    writeFileSync(
      join(folder.path, 'prometheus.yaml'),
      `global: { scrape_interval: 1s }
scrape_configs:
  - { job_name: parsercraft, static_configs: [{ targets: ['127.0.0.1:${demo.metricsPort}'] }] }
`,
    );
    prometheus = `http://127.0.0.1:${port}`;
    programs.push(
      start(PROMETHEUS as string, [
        `--config.file=${join(folder.path, 'prometheus.yaml')}`,
        `--storage.tsdb.path=${join(folder.path, 'tsdb')}`,
        `--web.listen-address=127.0.0.1:${port}`,
      ]),
    );
    for (const { name, phases } of (await scenarios()).scenarios) {
      await ask(`/v1/scenarios/${name}`, 'POST');
      const limitMs = 10_000 + 1_000 * phases.reduce((sum, { seconds }) => sum + seconds, 0);
      await eventually(
        async () => ((await scenarios()).running === undefined ? true : undefined),
        `the scenario ${name} to end`,
        limitMs,
      );
    }
    // No scenario stops the store, as most demonstrations have none.
    await store.stop();
    await ask('/v1/health');
  }, LIMIT_MS);

  afterAll(async () => {
    await Promise.all(programs.map((program) => program.stop()));
    folder[Symbol.dispose]();
  });

  /** The points of a graph over the whole time that have a value. */
  const points = async (expr: string): Promise<number> => {
    const filled = expr
      .replace(/\$(?:cluster|namespace|service|instance|policy)\b/g, '.*')
      .replaceAll('$__rate_interval', `${4 * STEP_S}s`)
      .replaceAll('$__range', '5m');
    const range = `start=${begun}&end=${Date.now() / 1_000}&step=${STEP_S}`;
    const response = await fetch(
      `${prometheus}/api/v1/query_range?query=${encodeURIComponent(filled)}&${range}`,
    );
    const { data, error } = (await response.json()) as {
      error?: string;
      data?: { result: { values: [number, string][] }[] };
    };
    if (data === undefined) throw new Error(`${filled}: ${error}`);
    return data.result.flatMap(({ values }) => values).filter(([, value]) => value !== 'NaN')
      .length;
  };

  const panels = [...DASHBOARDS, PARSERCRAFT].flatMap((dashboard) =>
    (usedPart(dashboard, config.uses)?.rows ?? []).flatMap((row) =>
      row.panels.map((panel) => [dashboard.uid, panel.title, panel] as const),
    ),
  );

  it.each(panels)('have data for each query of %s: "%s"', async (_, __, panel) => {
    for (const expr of panelQueries(panel, config)) {
      await eventually(async () => ((await points(expr)) > 0 ? true : undefined), expr, 10_000);
    }
  });

  it('show nothing of what the demo does not have', async () => {
    const left = [...DASHBOARDS, PARSERCRAFT].flatMap((dashboard) =>
      dashboard.rows.flatMap((row) => row.panels.filter(({ needs }) => needs !== undefined)),
    );
    for (const panel of left) {
      if (config.uses?.some((one) => one === panel.needs) === true) continue;
      // The demo has what these panels need, and the configuration does not say so.
      for (const expr of panelQueries(panel, config)) expect(await points(expr), expr).toBe(0);
    }
  });
});
