import { once } from 'node:events';
import { setTimeout as sleep, setImmediate as turn } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { classify } from '@temper/core';
import { seededRandom } from '@temper/testkit';
import { type Answered, type Client, clients, MAX_ATTEMPTS } from './clients.ts';
import { type Account, answerFor, NAMES, type Totals } from './server.ts';
import { isOfUndici8 } from './uncaught.ts';

/**
 * Sends requests over HTTP/2 to a server that breaks off in every way, and compares what each caller was told with
 * the server's own account: `node main.ts [requests] [seed] [releases]`. Exits with 1 when they differ.
 */
const REQUESTS = Number(process.argv[2] ?? 2000);
const SEED = Number(process.argv[3] ?? 1);
const RELEASES = process.argv[4] ?? '78';
const CONCURRENCY = 40;
/** Each call is over by then: the longest is bounded by `exchangeTimeoutMs`. */
const MAX_CALL_MS = 7000;
/** The program of each request is written before the first one is sent, so that a seed gives the same requests. */
const random = seededRandom(SEED);
const chance = (below: number): number => Math.floor(random() * below);
const oneOf = <T>(list: readonly T[]): T => list[chance(list.length)] as T;

const problems = new Map<string, number>();
function problem(what: string): void {
  problems.set(what, (problems.get(what) ?? 0) + 1);
}
process.on('uncaughtException', (error) => {
  if (RELEASES.includes('8') && isOfUndici8(error)) tally('uncaught error of undici 8');
  else problem(`uncaught: ${error.stack}`);
});
process.on('unhandledRejection', (error) =>
  problem(`unhandled: ${(error as Error)?.stack ?? error}`),
);

interface Plan {
  readonly id: string;
  readonly client: number;
  readonly method: 'GET' | 'POST';
  readonly keyed: boolean;
  readonly body: 'none' | 'text';
  readonly script: readonly string[];
  /** Turns of the event loop after which the caller aborts. */
  readonly abortAfter: number | undefined;
  readonly reads: 'all' | 'some' | 'cancels';
}

interface Told {
  readonly plan: Plan;
  readonly outcome: 'whole' | 'part' | 'answered' | 'failed' | 'aborted';
  readonly error?: unknown;
}

class CallerAbort extends Error {
  override readonly name = 'CallerAbort';
}

function plans(kinds: number): Plan[] {
  return Array.from({ length: REQUESTS }, (_, index) => {
    const method = oneOf(['GET', 'POST', 'POST'] as const);
    const script = [oneOf(NAMES)];
    while (script.length < 4 && chance(3) === 0) script.push(oneOf(NAMES));
    return {
      id: `r${index}`,
      client: chance(kinds),
      method,
      keyed: chance(8) === 0,
      body: method === 'GET' ? 'none' : oneOf(['none', 'text'] as const),
      script: chance(3) === 0 ? ['ok'] : script,
      abortAfter: chance(5) === 0 ? chance(60) : undefined,
      reads: oneOf(['all', 'all', 'all', 'some', 'cancels'] as const),
    };
  });
}

const BODIES = { none: undefined, text: 'text' } as const;

async function readBody({ body }: Answered, reads: Plan['reads']): Promise<string | undefined> {
  if (reads === 'cancels') {
    await body.cancel?.();
    body.destroy?.();
    return undefined;
  }
  const decoder = new TextDecoder();
  let text = '';
  for await (const chunk of body) {
    text += decoder.decode(chunk, { stream: true });
    if (reads === 'some') return undefined;
  }
  return text;
}

async function abortAfter(turns: number, own: AbortController, reason: Error): Promise<void> {
  for (let left = turns; left > 0; left--) await turn();
  own.abort(reason);
}

/** An answer that says no length, and is cut off after its headers, is a whole one for undici. */
const mayBeEmpty = ({ script }: Plan): boolean => script.some((name) => name.endsWith('-headers'));

const reasons = new Map<unknown, string>();

async function call(client: Client, origin: string, plan: Plan): Promise<Told> {
  const own = new AbortController();
  const reason = new CallerAbort(plan.id);
  reasons.set(reason, plan.id);
  const headers: Record<string, string> = { 'x-id': plan.id, 'x-script': plan.script.join(',') };
  if (plan.keyed) headers['idempotency-key'] = plan.id;
  const sent = client.send({
    url: `${origin}/`,
    method: plan.method,
    headers,
    body: client.uploads ? BODIES[plan.body] : undefined,
    signal: own.signal,
  });
  if (plan.abortAfter !== undefined) void abortAfter(plan.abortAfter, own, reason);
  try {
    const answered = await sent;
    const { status } = answered;
    const text = await readBody(answered, plan.reads);
    if (text === undefined) return { plan, outcome: 'part' };
    if (status !== 200) return { plan, outcome: 'answered' };
    const whole = [answerFor(plan.id, false), answerFor(plan.id, true)].includes(text);
    if (text === '' && mayBeEmpty(plan)) return { plan, outcome: 'answered' };
    if (!whole)
      problem(
        `${client.name}: an answer of ${text.length} bytes passes for whole (${plan.script})`,
      );
    return { plan, outcome: 'whole' };
  } catch (error) {
    return { plan, outcome: own.signal.aborted ? 'aborted' : 'failed', error };
  }
}

function* chain(error: unknown): Generator<unknown> {
  let each = error;
  for (let depth = 0; depth < 10 && each !== undefined && each !== null; depth++) {
    yield each;
    each = (each as { cause?: unknown }).cause;
  }
}

function check(client: Client, { plan, outcome, error }: Told, account: Account): void {
  const { method, keyed, script, id } = plan;
  const what = `${client.name}: ${method}${keyed ? ' with a key' : ''} ${plan.body} [${script}]`;
  const limit = method === 'GET' || keyed ? MAX_ATTEMPTS : 1;
  // Of one attempt undici may make several by itself.
  if (account.processed > limit && sends.get(id) === 1) tally('sent again by undici');
  else if (account.processed > limit) problem(`${what} was processed ${account.processed} times`);
  if (outcome === 'whole' && account.answered < 1)
    problem(`${what} has an answer that was not sent`);
  if (outcome === 'failed') {
    for (const each of chain(error)) {
      const owner = reasons.get(each);
      if (owner !== undefined && owner !== id)
        problem(`${what} fails with the abort of another call`);
      if (owner === id) problem(`${what} fails with an abort that did not happen`);
    }
    const { category } = classify(error);
    if (!['network', 'timeout', 'resource'].includes(category)) {
      problem(
        `${client.name}: an error that is no failure of the network: ${[...chain(error)].map(describe).join(' < ')}`,
      );
    }
  }
}

const describe = (error: unknown): string => {
  const { name, code, message } = (error ?? {}) as Error & { code?: unknown };
  return `${name} ${String(code)} ${message}`.slice(0, 160);
};

/** Attempts of Temper, by request. */
const sends = new Map<string, number>();
const outcomes = new Map<string, number>();
function tally(what: string): void {
  outcomes.set(what, (outcomes.get(what) ?? 0) + 1);
}

const worker = new Worker(new URL('./server.ts', import.meta.url));
const [origin] = (await once(worker, 'message')) as [string];
async function totals(): Promise<Totals> {
  const answer = once(worker, 'message');
  worker.postMessage('totals');
  return (await answer)[0] as Totals;
}

const all = clients(origin, RELEASES, problem, (id) => {
  sends.set(id, (sends.get(id) ?? 0) + 1);
});
const told: Told[] = [];
const left = plans(all.length);
async function lane(): Promise<void> {
  for (let plan = left.shift(); plan !== undefined; plan = left.shift()) {
    const client = all[plan.client] as Client;
    const late = new AbortController();
    const hung = sleep(MAX_CALL_MS, undefined, { signal: late.signal }).catch(() => 'over');
    const got = await Promise.race([call(client, origin, plan), hung]);
    late.abort();
    if (typeof got !== 'object' || got === undefined) {
      problem(
        `${client.name}: ${plan.method} ${plan.body} [${plan.script}] hangs, reads ${plan.reads}`,
      );
      continue;
    }
    told.push(got);
    tally(`${client.name.split(',')[0]} ${got.outcome}`);
  }
}
await Promise.all(Array.from({ length: CONCURRENCY }, lane));
await sleep(300);
const { accounts } = await totals();
for (const each of told) {
  const account = accounts[each.plan.id] ?? { processed: 0, unprocessed: 0, answered: 0 };
  check(all[each.plan.client] as Client, each, account);
}
const unprocessed = Object.values(accounts).filter((one) => one.unprocessed > 0).length;
await Promise.all(all.map((one) => one.close()));
let end = await totals();
for (let round = 0; round < 100 && end.sessions + end.streams > 0; round++) {
  await sleep(50);
  end = await totals();
}
await worker.terminate();
console.log(Object.fromEntries([...outcomes].toSorted()), { unprocessed, sessions: end.sessions });
for (const [what, times] of problems) console.log(`PROBLEM ${times}x ${what}`);
console.log(`seed ${SEED}: ${REQUESTS} requests, ${problems.size} problems`);
process.exitCode = problems.size === 0 ? 0 : 1;
