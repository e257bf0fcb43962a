import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  available,
  type DemoService,
  eventually,
  freePort,
  JAEGER,
  type Program,
  start,
  startDemo,
  temporaryFolder,
} from './programs.ts';

const run = available({ jaeger: JAEGER });

/** A trace in the format of Jaeger's API. */
interface JaegerTrace {
  readonly traceID: string;
  readonly spans: readonly {
    readonly spanID: string;
    readonly operationName: string;
    /** Microseconds since the epoch. */
    readonly startTime: number;
    readonly processID: string;
    readonly references: readonly { readonly refType: string; readonly spanID: string }[];
    readonly tags: readonly { readonly key: string; readonly value: unknown }[];
  }[];
  readonly processes: Readonly<Record<string, { readonly serviceName: string }>>;
}

/** A span with its child spans. */
interface Node {
  readonly name: string;
  readonly service: string;
  readonly tags: Readonly<Record<string, unknown>>;
  readonly children: readonly Node[];
}

function trees({ spans, processes }: JaegerTrace): Node[] {
  const ids = new Set(spans.map(({ spanID }) => spanID));
  const parentOf = (span: JaegerTrace['spans'][number]): string | undefined =>
    span.references.find(({ refType, spanID }) => refType === 'CHILD_OF' && ids.has(spanID))
      ?.spanID;
  const below = (parent: string | undefined): Node[] =>
    spans
      .filter((span) => parentOf(span) === parent)
      .sort((a, b) => a.startTime - b.startTime)
      .map((span) => ({
        name: span.operationName,
        service: processes[span.processID]?.serviceName ?? '',
        tags: Object.fromEntries(span.tags.map(({ key, value }) => [key, value])),
        children: below(span.spanID),
      }));
  return below(undefined);
}

const all = (node: Node): Node[] => [node, ...node.children.flatMap(all)];
const failed = ({ tags }: Node): boolean =>
  tags.error === true || tags['otel.status_code'] === 'ERROR';

describe.runIf(run)('traces in a real Jaeger', () => {
  const folder = temporaryFolder();
  const programs: Program[] = [];
  let query: string;
  let otlp: string;

  const traces = async (service: string, operation: string): Promise<Node[]> => {
    const url = `${query}/api/traces?service=${service}&operation=${encodeURIComponent(operation)}&limit=200&lookback=1h`;
    const { data } = (await (await fetch(url)).json()) as { data: readonly JaegerTrace[] | null };
    return (data ?? []).flatMap(trees);
  };
  const trace = (service: string, operation: string): Promise<Node> =>
    eventually(async () => (await traces(service, operation))[0], `a trace of '${operation}'`);

  beforeAll(async () => {
    const [http, grpc, ui, uiGrpc] = [
      await freePort(),
      await freePort(),
      await freePort(),
      await freePort(),
    ];
    query = `http://127.0.0.1:${ui}`;
    otlp = `http://127.0.0.1:${http}`;
    writeFileSync(
      join(folder.path, 'jaeger.yaml'),
      `service:
  extensions: [jaeger_storage, jaeger_query]
  pipelines: { traces: { receivers: [otlp], processors: [], exporters: [jaeger_storage_exporter] } }
  telemetry: { metrics: { level: none }, logs: { level: warn } }
extensions:
  jaeger_storage: { backends: { memory: { memory: { max_traces: 100000 } } } }
  jaeger_query:
    storage: { traces: memory }
    http: { endpoint: 127.0.0.1:${ui} }
    grpc: { endpoint: 127.0.0.1:${uiGrpc} }
receivers:
  otlp: { protocols: { grpc: { endpoint: 127.0.0.1:${grpc} }, http: { endpoint: 127.0.0.1:${http} } } }
exporters:
  jaeger_storage_exporter: { trace_storage: memory }
`,
    );
    const jaeger = start(JAEGER as string, [`--config=file:${join(folder.path, 'jaeger.yaml')}`]);
    programs.push(jaeger);
    try {
      await eventually(
        async () => ((await fetch(`${query}/api/services`)).ok ? true : undefined),
        'a response of Jaeger',
      );
    } catch (error) {
      throw new Error(`${(error as Error).message}\n${jaeger.output()}`);
    }
  });

  afterAll(async () => {
    await Promise.all(programs.map((program) => program.stop()));
    folder[Symbol.dispose]();
  });

  describe('of a program with one call of each kind', () => {
    beforeAll(() => {
      const script = fileURLToPath(new URL('./traced-calls.ts', import.meta.url));
      const { status, stderr } = spawnSync(process.execPath, [script], {
        encoding: 'utf8',
        env: {
          ...process.env,
          OTEL_EXPORTER_OTLP_ENDPOINT: otlp,
          OTEL_SERVICE_NAME: 'traced-calls',
        },
      });
      if (status !== 0) throw new Error(stderr);
    });

    it('show a recovered call with failed attempts and no error on the operation', async () => {
      const root = await trace('traced-calls', 'saved call');
      const [operation] = root.children;
      expect(operation?.name).toBe('retry saved');
      expect(operation && failed(operation)).toBe(false);
      expect(operation?.tags).toMatchObject({
        'temper.policy.name': 'saved',
        'temper.outcome': 'recovered',
        'temper.retry.attempts': 3,
      });
      expect(operation?.tags).not.toHaveProperty('error.type');
      const attempts = operation?.children ?? [];
      expect(attempts.map(({ name, tags }) => [name, tags['temper.retry.attempt']])).toEqual([
        ['attempt', 1],
        ['attempt', 2],
        ['attempt', 3],
      ]);
      expect(attempts.map(failed)).toEqual([true, true, false]);
      expect(attempts[0]?.tags['error.type']).toBe('ECONNREFUSED');
    });

    it('show an exhausted call as an error with the reason', async () => {
      const [operation] = (await trace('traced-calls', 'exhausted call')).children;
      expect(operation && failed(operation)).toBe(true);
      expect(operation?.tags).toMatchObject({
        'temper.outcome': 'exhausted',
        'temper.retry.reason': 'attempts',
        'error.type': 'ECONNREFUSED',
      });
    });

    it('show why a rejected call was not made', async () => {
      const root = await trace('traced-calls', 'rejected call');
      const breaker = all(root).find(({ name }) => name === 'breaker rejecting');
      expect(breaker && failed(breaker)).toBe(true);
      expect(breaker?.tags).toMatchObject({
        'temper.outcome': 'rejected',
        'temper.breaker.state': 'open',
        'error.type': 'CIRCUIT_OPEN',
      });
      expect(breaker?.children).toEqual([]);
      const attempts = all(root).filter(({ name }) => name === 'attempt');
      expect(attempts).toHaveLength(1); // an open circuit ends the retries
    });

    it('show the successful second attempt of a hedged call without any error', async () => {
      const root = await trace('traced-calls', 'hedged call');
      const hedged = all(root).find(({ name }) => name === 'hedge hedged');
      expect(hedged?.tags).toMatchObject({
        'temper.policy.name': 'hedged',
        'temper.hedge.attempt': 2,
      });
      expect(all(root).some(failed)).toBe(false);
    });
  });

  describe('of the demo service and its registry', () => {
    let demo: DemoService;

    beforeAll(async () => {
      demo = await startDemo(join(folder.path, 'demo'), { OTEL_EXPORTER_OTLP_ENDPOINT: otlp });
      programs.push(demo);
    });

    const get = async (path: string): Promise<void> => {
      await (await fetch(`${demo.url}${path}`)).text();
    };
    const fault = (name: string, on: boolean): Promise<Response> =>
      fetch(`${demo.url}/v1/faults`, {
        method: 'POST',
        headers: { authorization: `Bearer ${demo.token}`, 'content-type': 'application/json' },
        body: JSON.stringify({ name, on }),
      });

    it('contain the request, its pipeline and the spans of the registry in one trace', async () => {
      await get('/v1/packages/std.math');
      const found = await eventually(async () => {
        const candidates = await traces('parsercraft', 'GET /v1/packages/:name');
        return candidates.find((root) =>
          all(root).some(({ service }) => service === 'parsercraft-registry'),
        );
      }, 'one trace through both processes');
      const names = all(found).map(({ name }) => name);
      expect(names).toContain('breaker registry_fetch');
      expect(names).toContain('attempt');
      const registry = all(found).filter(({ service }) => service === 'parsercraft-registry');
      expect(registry.length).toBeGreaterThan(0);
      expect(all(found).some(failed)).toBe(false);
    });

    it('show a degraded answer as a request without error, with the rejected call below it', async () => {
      await get('/v1/packages/std.math');
      await fault('registry-outage', true);
      const found = await eventually(
        async () => {
          await get('/v1/packages/std.math');
          const candidates = await traces('parsercraft', 'GET /v1/packages/:name');
          return candidates.find((root) =>
            all(root).some((node) => node.tags['error.type'] === 'CIRCUIT_OPEN'),
          );
        },
        'a rejected call with a degraded answer',
        40_000,
      );
      await fault('registry-outage', false);
      expect(failed(found)).toBe(false);
      const breaker = all(found).find(({ name }) => name === 'breaker registry_fetch');
      expect(breaker?.tags).toMatchObject({ 'temper.outcome': 'rejected' });
      expect(all(found).some(({ service }) => service === 'parsercraft-registry')).toBe(false);
    }, 90_000);
  });
});
