import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isProblem } from '../../src/drills/hostile-input.ts';
import type { HttpAnswer, HttpQuestion } from '../../src/drills/http-caller.ts';
import { until } from './demo-process.ts';
import { documentedAnswers, type OpenApi } from './documented-answers.ts';
import { json, type RunningService, runService, temporaryDir } from './running-service.ts';
import { nearly, type Schema } from './schema-arbitrary.ts';

const REQUESTS = Number(process.env.TEMPER_FUZZ_REQUESTS ?? 10_000);
/** Also for a machine that does other things besides. */
const TIME_LIMIT_MS = Math.max(300_000, 30 * REQUESTS);
const AT_A_TIME = 12;
/** Requests between two measurements of the live heap. */
const HEAP_EVERY = 1_000;
/** Allowed growth of the live heap in the second half of the run. */
const MAX_GROWTH_BYTES = 4 * 1024 * 1024;
/** Routes that start processes or break subsystems get fewer requests. */
const RARE = new Set(['POST /v1/faults', 'POST /v1/scenarios/{name}']);

const GARBAGE = 'garbage';
/** Answer to a path whose parameter is too long for a route. */
const NO_ROUTE = 'There is no resource at this path.';

interface Route {
  readonly method: string;
  readonly path: string;
  readonly body: Schema | undefined;
  readonly parameters: readonly {
    readonly name: string;
    readonly in: string;
    readonly schema: Schema;
  }[];
}

function routesOf({ paths }: OpenApi): readonly Route[] {
  return Object.entries(paths).flatMap(([path, methods]) =>
    // A heap snapshot blocks the service for seconds, as documented.
    Object.entries(path === '/v1/heap-snapshot' ? {} : methods).map(
      ([method, { parameters = [], requestBody }]) => ({
        method: method.toUpperCase(),
        path,
        parameters,
        body: requestBody?.content['application/json']?.schema,
      }),
    ),
  );
}

/** Replaces lone surrogates, which cannot be encoded as UTF-8. */
const plainText = (value: unknown): string =>
  (typeof value === 'string' ? value : (JSON.stringify(value) ?? '')).toWellFormed();

/** Requests to a route with valid, nearly valid and arbitrary input. */
function questionTo(route: Route, token: string): fc.Arbitrary<HttpQuestion> {
  const value = (schema: Schema) =>
    nearly(schema).map((one) => encodeURIComponent(plainText(one).slice(0, 400)));
  const parameters = fc.record(
    Object.fromEntries(route.parameters.map(({ name, schema }) => [name, value(schema)])),
  ) as fc.Arbitrary<Record<string, string>>;
  const body =
    route.body === undefined
      ? fc.constant(undefined)
      : fc.oneof(
          { weight: 9, arbitrary: nearly(route.body).map((one) => JSON.stringify(one)) },
          { weight: 1, arbitrary: fc.string({ maxLength: 500, unit: 'binary' }) },
        );
  const headers = fc.constantFrom<Readonly<Record<string, string>>>(
    {},
    { authorization: `Bearer ${token}` },
    { authorization: `Bearer ${token}` },
    { authorization: 'Basic x' },
    { 'content-type': 'text/plain' },
    { origin: 'https://evil.example' },
    { traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01' },
    { traceparent: 'nonsense', accept: '*/*', 'accept-encoding': 'br' },
  );
  return fc.tuple(parameters, body, headers).map(([given, text, extra]) => {
    let path = route.path;
    const query: string[] = [];
    for (const { name, in: where } of route.parameters) {
      if (where === 'path') path = path.replace(`{${name}}`, given[name] || '_');
      else if (given[name] !== undefined && given[name] !== 'undefined') {
        query.push(`${name}=${given[name]}`);
      }
    }
    return {
      method: route.method,
      path: query.length === 0 ? path : `${path}?${query.join('&')}`,
      headers: extra,
      ...(text === undefined ? {} : { body: text }),
    };
  });
}

/** Requests to paths that mostly match no route. */
const garbage: fc.Arbitrary<HttpQuestion> = fc.record({
  method: fc.constantFrom('GET', 'POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS', 'HEAD'),
  path: fc.oneof(
    fc.webPath(),
    fc.string({ maxLength: 80 }).map((text) => `/${encodeURIComponent(text)}`),
    fc.webPath().map((path) => `/v1${path}`),
    fc.constantFrom(
      '/v1/lsp/',
      '/v1//compile',
      '/v1/compile/',
      '/v1/packages/%',
      '/?',
      '/v1/events/x',
    ),
  ),
});

const REPORT_HEAP = ['--expose-gc', '--import', new URL('report-heap.mjs', import.meta.url).href];

/** Size of the service's heap after a full garbage collection, in bytes. */
async function livingHeap({ demo }: RunningService): Promise<number> {
  const before = demo.stderr().length;
  demo.child.kill('SIGUSR2');
  const reported = (): string | undefined =>
    /^heap: (\d+)$/m.exec(demo.stderr().slice(before))?.[1];
  await until(() => reported() !== undefined, 10_000, 'the size of the heap');
  return Number(reported());
}

/** Switches off the faults that fuzzed requests have switched on. */
async function switchOff(service: RunningService): Promise<void> {
  const { faults } = json<{ faults: { name: string; on: boolean }[] }>(
    await service.call({ path: '/v1/faults' }),
  );
  for (const { name, on } of faults) if (on) await service.fault(name, false);
}

describe('fuzzing the API', () => {
  it(
    `answers ${REQUESTS} fuzzed requests without a 500, a missing response or memory growth`,
    async () => {
      // The default limits would reject nine of ten requests.
      const settings = join(temporaryDir(), 'settings.yaml');
      const wide = '{ limit: 1000000, windowMs: 60000, burst: 1000000 }';
      writeFileSync(
        settings,
        `limiters:\n  ast_analysis: ${wide}\n  registry_query: ${wide}\n  lsp_requests: ${wide}\n`,
      );
      const service = await runService(
        ['--no-load', '--client-limit=9999999', `--settings=${settings}`],
        {},
        REPORT_HEAP,
      );
      const document = json<OpenApi>(await service.call({ path: '/v1/openapi.json' }));
      const undocumented = documentedAnswers(document);
      const routes = routesOf(document).filter(({ path }) => path !== '/v1/events');
      expect(routes.length).toBeGreaterThan(15);
      const isRare = ({ method, path }: Route): boolean => RARE.has(`${method} ${path}`);
      const questions = fc.oneof(
        ...routes.map((route) => ({
          weight: isRare(route) ? 1 : 40,
          arbitrary: fc.record({
            route: fc.constant(`${route.method} ${route.path}`),
            question: questionTo(route, service.token),
          }),
        })),
        {
          weight: 80,
          arbitrary: fc.record({ route: fc.constant(GARBAGE), question: garbage }),
        },
      );
      const seed = Number(process.env.TEMPER_FUZZ_SEED ?? Date.now() % 2 ** 31);
      const sample = fc.sample(questions, { numRuns: REQUESTS, seed });
      const statuses = new Map<string, Set<number>>();
      const differences = new Set<string>();
      const heap: number[] = [];
      const check = (route: string, question: HttpQuestion, answer: HttpAnswer): void => {
        const context = `seed ${seed}: ${JSON.stringify(question)} → ${answer.status} ${answer.body.slice(0, 300)}`;
        expect(answer.status, `${context}\n${service.demo.stderr().slice(-2_000)}`).not.toBe(500);
        if (answer.status >= 400 && question.method !== 'HEAD') {
          expect(isProblem(answer), context).toBe(true);
        }
        if (route !== GARBAGE && !answer.body.includes(NO_ROUTE)) {
          const difference = undocumented(route, answer);
          if (difference !== undefined) differences.add(difference);
        }
        statuses.set(route, (statuses.get(route) ?? new Set()).add(answer.status));
      };
      const send = async ({ route, question }: (typeof sample)[number]): Promise<void> => {
        const answer = await service.call(question).catch((error: Error) => {
          throw new Error(`seed ${seed}: ${JSON.stringify(question)}: ${error.message}`);
        });
        check(route, question, answer);
      };
      for (let from = 0; from < sample.length; from += HEAP_EVERY) {
        const waiting = sample.slice(from, from + HEAP_EVERY);
        const worker = async (): Promise<void> => {
          for (let one = waiting.pop(); one !== undefined; one = waiting.pop()) await send(one);
        };
        await Promise.all(Array.from({ length: AT_A_TIME }, worker));
        await switchOff(service);
        heap.push(await livingHeap(service));
      }

      expect([...differences].slice(0, 5), `seed ${seed}`).toEqual([]);

      // Every route was reached, and the main routes succeeded at least once.
      for (const { method, path } of routes) {
        expect(statuses.get(`${method} ${path}`)?.size, `${method} ${path}`).toBeGreaterThan(0);
      }
      for (const route of ['POST /v1/compile', 'POST /v1/run', 'POST /v1/lsp/{method}']) {
        expect(statuses.get(route), route).toContain(200);
      }
      // All buffers are bounded and full by the middle of the run.
      const growth = (heap.at(-1) as number) - (heap[Math.floor(heap.length / 2)] as number);
      expect(
        growth,
        `seed ${seed}: ${heap.map((bytes) => Math.round(bytes / 1e5) / 10)} MB`,
      ).toBeLessThan(MAX_GROWTH_BYTES);
      // The service still works.
      expect((await service.post('/v1/run', { source: 'print(40 + 2)' })).status).toBe(200);
    },
    TIME_LIMIT_MS,
  );
});
