import { describe, expect, it, onTestFinished } from 'vitest';
import { EXPENSIVE_REQUESTS, hugeDefinition } from '../../src/drills/expensive-requests.ts';
import { HttpCaller, type HttpQuestion } from '../../src/drills/http-caller.ts';
import { percentile } from '../../src/load/tally.ts';
import { json, type RunningService, runService } from './running-service.ts';

/** Requests of the others: at least so many, one after the other. */
const LEAST_REQUESTS = 40;
/** The p99 latency of the others beside an attack may be so many times that without. */
const MULTIPLE = 5;
/** Latencies below this one count as this one: the tests share their machine. */
const LEAST_MS = 200;

const post = (path: string, body: object): HttpQuestion => ({
  method: 'POST',
  path,
  body: JSON.stringify(body),
});
const times = <T>(count: number, make: (at: number) => T): readonly T[] =>
  Array.from({ length: count }, (_, at) => make(at));

const position = { line: 0, character: 20_000 };
const PACKAGES = ['core', 'math', 'text', 'sequence', 'stats', 'report'];
const uses = times(20, (at) => `use std.${PACKAGES[at] ?? `missing${at}`}`).join('\n');

/** What one client without a token sends at once, within its rate limit. */
const ATTACKS: Readonly<Record<string, readonly HttpQuestion[]>> = {
  'fifty endless programs': times(50, () => post('/v1/run', { source: 'while true { }' })),
  'forty definitions of 64 KiB': times(40, (at) =>
    post('/v1/compile', { source: 'print(1)', definition: hugeDefinition(at) }),
  ),
  'built-in functions that copy megabytes': times(40, () =>
    post('/v1/run', {
      source:
        'let s = "0123456789abcdef"\nwhile length(s) < 500000 { s = s + s }\nwhile true { s = substring(s + s, 0, 524288) }',
    }),
  ),
  'names of Object.prototype': Object.getOwnPropertyNames(Object.prototype).flatMap((name) => [
    post('/v1/run', { source: `use ${name}\nprint(${name}.f(1))` }),
    post('/v1/check', { protocols: [{ name }], against: [name], structure: {} }),
    { path: `/v1/packages/${name}` },
  ]),
  'programs of many packages': times(26, () => post('/v1/run', { source: uses })),
  'forty hovers over 32 kB of one word': times(40, () =>
    post('/v1/lsp/hover', { text: 'A'.repeat(32_768), position }),
  ),
  'the most expensive requests of each kind': times(
    50,
    (at) => EXPENSIVE_REQUESTS[at % EXPENSIVE_REQUESTS.length] as HttpQuestion,
  ),
};

const ORDINARY = [
  post('/v1/compile', { source: 'print(21 * 2)' }),
  post('/v1/run', { source: 'use std.math\nprint(math.gcd(12, 18))' }),
  post('/v1/lsp/symbols', { text: 'let x = 1\n' }),
  post('/v1/check', { source: 'let x = 1 + 2\n' }),
] as const;

/** Ordinary requests of another client, until `during` has ended. Resolves with their p99 latency. */
async function p99OfOthers(
  { url, withToken }: RunningService,
  during: Promise<unknown> = Promise.resolve(),
): Promise<number> {
  using caller = new HttpCaller(url, 4, 60_000);
  let isOver = false;
  void during.finally(() => {
    isOver = true;
  });
  const durations: number[] = [];
  for (let at = 0; at < LEAST_REQUESTS || !isOver; at += 1) {
    const question = ORDINARY[at % ORDINARY.length] as HttpQuestion;
    const { status, body, durationMs } = await caller.call({ ...question, headers: withToken });
    expect(status, `${question.path}: ${body}`).toBe(200);
    durations.push(durationMs);
  }
  return (
    percentile(
      durations.toSorted((a, b) => a - b),
      0.99,
    ) ?? 0
  );
}

async function statesOf({ call, withToken }: RunningService): Promise<readonly string[]> {
  const { breakers } = json<{ breakers: Record<string, { state: string }> }>(
    await call({ path: '/v1/policies', headers: withToken }),
  );
  return Object.values(breakers).map(({ state }) => state);
}

describe('others notice nothing of a client that sends', () => {
  it.each(Object.entries(ATTACKS))('%s', async (name, questions) => {
    const service = await runService();
    await p99OfOthers(service);
    const alone = await p99OfOthers(service);
    const caller = new HttpCaller(service.url, 100, 60_000);
    onTestFinished(() => caller[Symbol.dispose]());
    const attack = Promise.all(questions.map((question) => caller.call(question)));
    const beside = await p99OfOthers(service, attack);
    process.stderr.write(
      `${name}: p99 of the others ${Math.round(alone)} ms without, ${Math.round(beside)} ms with\n`,
    );
    expect(beside).toBeLessThanOrEqual(MULTIPLE * Math.max(alone, LEAST_MS));
    const statuses = (await attack).map(({ status }) => status);
    expect(statuses).not.toContain(500);
    expect(statuses).not.toContain(503);
    expect(new Set(await statesOf(service))).toEqual(new Set(['closed']));
  });
});
