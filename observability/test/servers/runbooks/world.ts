import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  type DemoService,
  eventually,
  freePort,
  PROMETHEUS,
  type Program,
  REDIS,
  root,
  start,
  startDemo,
  temporaryFolder,
} from '../programs.ts';

/** A demo and the Prometheus that scrapes it, with the rules of the repository. */
export interface World extends AsyncDisposable {
  readonly demo: DemoService;
  /** The store that the demo uses, if it has one. */
  readonly store: Program | undefined;
  /** Variables for the shell of an operator: all others have the defaults of the page. */
  readonly env: Readonly<Record<string, string>>;
  /** The values of the series of an instant query. */
  query(expr: string): Promise<readonly number[]>;
}

/** Time between two requests of the client of a world. */
const CLIENT_MS = 200;

/**
 * A client that asks a service again and again. The load of the demo begins behind its HTTP limit, so without
 * a client only the operator's own requests would reach the limiter and its store.
 */
function client(url: string): Disposable {
  const timer = setInterval(() => {
    fetch(`${url}/v1/health`, { signal: AbortSignal.timeout(5_000) })
      .then((response) => response.arrayBuffer())
      .catch(() => undefined); // the service may be gone
  }, CLIENT_MS);
  return { [Symbol.dispose]: () => clearInterval(timer) };
}

/** Starts a world, and waits until Prometheus has seen successful calls of the background load. */
export async function createWorld(options: { readonly store: boolean }): Promise<World> {
  const stack = new AsyncDisposableStack();
  try {
    const folder = stack.use(temporaryFolder());
    const storePort = await freePort();
    const store = options.store
      ? stack.use(
          start(REDIS as string, [
            `--port`,
            String(storePort),
            '--bind',
            '127.0.0.1',
            '--save',
            '',
          ]),
        )
      : undefined;
    const data = join(folder.path, 'data');
    const args = options.store ? ['--store', `redis://127.0.0.1:${storePort}`] : [];
    const demo = stack.use(await startDemo(data, {}, args));
    if (options.store) stack.use(client(demo.url));
    const port = await freePort();
    const rules = join(root, 'observability/prometheus/rules/scrape.yaml');
    // The rules themselves, evaluated each second by the interval of the copy.
    writeFileSync(
      join(folder.path, 'rules.yaml'),
      readFileSync(rules, 'utf8').replaceAll('interval: 15s', 'interval: 1s'),
    );
    writeFileSync(
      join(folder.path, 'prometheus.yaml'),
      `global: { scrape_interval: 1s, evaluation_interval: 1s }
rule_files: [rules.yaml]
scrape_configs:
  - { job_name: parsercraft, static_configs: [{ targets: ['127.0.0.1:${demo.metricsPort}'] }] }
`,
    );
    const url = `http://127.0.0.1:${port}`;
    stack.use(
      start(PROMETHEUS as string, [
        `--config.file=${join(folder.path, 'prometheus.yaml')}`,
        `--storage.tsdb.path=${join(folder.path, 'tsdb')}`,
        `--web.listen-address=127.0.0.1:${port}`,
      ]),
    );
    const query = async (expr: string): Promise<readonly number[]> => {
      const response = await fetch(`${url}/api/v1/query?query=${encodeURIComponent(expr)}`);
      const { data: found } = (await response.json()) as {
        data: { result: { value: [number, string] }[] };
      };
      return found.result.map(({ value }) => Number(value[1]));
    };
    await eventually(async () => {
      const seen = await query('sum(count_over_time(up[1m]) > 3) and sum(up == 1)');
      const calls = await query('sum(temper_breaker_calls_total{temper_outcome="success"}) > 5');
      return seen.length > 0 && calls.length > 0 ? true : undefined;
    }, 'Prometheus to see calls');
    const owned = stack.move();
    return {
      demo,
      store,
      env: { DATA: data, PROMETHEUS: url },
      query,
      [Symbol.asyncDispose]: () => owned.disposeAsync(),
    };
  } catch (error) {
    await stack.disposeAsync();
    throw error;
  }
}

/** Switches a fault of the demo on. */
export async function switchOn({ demo }: World, fault: string): Promise<void> {
  const response = await fetch(`${demo.url}/v1/faults`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${demo.token}` },
    body: JSON.stringify({ name: fault, on: true }),
  });
  if (!response.ok) throw new Error(`The fault ${fault} was refused: ${await response.text()}`);
}

/** Whether the demo still runs. */
export function runs({ demo }: World): boolean {
  try {
    return process.kill(demo.pid, 0);
  } catch {
    return false;
  }
}
