import { once } from 'node:events';
import { setTimeout as sleep, setImmediate as turn } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { type Ask, type Body, clients, type Send } from './clients.ts';
import type { Addresses, Counts } from './faults.ts';
import { type Checkpoint, checkpoint, slopeOf } from './measure.ts';
import { PROTOCOLS, type Protocol } from './protocols.ts';

/**
 * Sends requests that fail in every way, and checks that nothing grows: `node --expose-gc main.ts [requests]
 * [protocol]`. Exits with 1 when something does.
 */
const REQUESTS = Number(process.argv[2] ?? 100_000);
const PROTOCOL: Protocol = PROTOCOLS[(process.argv[3] ?? 'http1') as keyof typeof PROTOCOLS];
const CHECKPOINTS = 10;
const CONCURRENCY = 48;
/** Bytes of heap per request: less than one listener, timer or entry of a map takes. */
const MAX_BYTES = 20;
/** From so many requests on the heap is judged: before, the engine still compiles and warms up. */
const WARM = 50_000;
/** Streams and signals that may be left, whatever the number of requests: those of idle connections. */
const MAX_OBJECTS = 10 * CONCURRENCY;

/** Deterministic chance: the choices are the same in each run. */
let state = 20_261_129;
function chance(below: number): number {
  state = (state + 0x6d2b79f5) | 0;
  let t = Math.imul(state ^ (state >>> 15), 1 | state);
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
  return ((t ^ (t >>> 14)) >>> 0) % below;
}
const oneOf = <T>(list: readonly T[]): T => list[chance(list.length)] as T;

/** Faults of the client's side besides those of the servers. */
const KINDS: readonly string[] = [...PROTOCOL.faults, 'no-listener', 'slow-connect'];
/** What costs a timeout, or twenty requests, is sent a tenth as often. */
const COSTLY: ReadonlySet<string> = new Set([
  'stalled-headers',
  'stalled-body',
  'slow-connect',
  'moved-around',
]);
const DICE: readonly string[] = KINDS.flatMap((kind) =>
  Array<string>(COSTLY.has(kind) ? 1 : 10).fill(kind),
);

/** What the caller does with a response. */
const READERS = {
  reads: async (body: Body) => {
    for await (const _ of body);
  },
  stops: async (body: Body) => {
    for await (const _ of body) break;
  },
  cancels: async (body: Body) => {
    await body.cancel?.();
    body.destroy?.();
  },
  forgets: async () => {},
} as const;

const worker = new Worker(PROTOCOL.servers);
const [addresses] = (await once(worker, 'message')) as [Addresses];
async function count(): Promise<Counts> {
  const answer = once(worker, 'message');
  worker.postMessage('count');
  return (await answer)[0] as Counts;
}

const { sends, queued, close } = clients(PROTOCOL, addresses);
/** Every request listens to it, and it never aborts. */
const shared = new AbortController().signal;
const outcomes = new Map<string, number>();
function tally(what: string): void {
  outcomes.set(what, (outcomes.get(what) ?? 0) + 1);
}

const UNCAUGHT = 'uncaught error of undici';
process.on('uncaughtException', (error) => {
  if (!PROTOCOL.throws(error)) throw error;
  tally(UNCAUGHT);
});

function urlOf(kind: string): string {
  if (kind === 'no-listener') return `${addresses.closed}/`;
  if (kind === 'slow-connect') return `${addresses.silent}/`;
  return `${addresses.first}/${kind}`;
}

async function* pieces(): AsyncGenerator<Uint8Array> {
  for (let piece = 0; piece < 3; piece++) {
    await turn();
    yield new Uint8Array(1000);
  }
}

async function one(send: Send, isFetch: boolean): Promise<void> {
  const kind = oneOf(DICE);
  const method = oneOf(['GET', 'GET', 'GET', 'HEAD', 'POST'] as const);
  const reader =
    kind === 'unfinished'
      ? 'forgets'
      : oneOf(['reads', 'reads', 'stops', 'cancels', 'forgets'] as const);
  const own = chance(4) === 0 ? new AbortController() : undefined;
  const ask: Ask = {
    url: urlOf(kind),
    method,
    signal: own?.signal ?? shared,
    ...(method === 'POST' && PROTOCOL.uploads ? { body: pieces } : {}),
  };
  const turns = chance(40);
  if (own !== undefined) void abortAfter(turns, own);
  try {
    const body = await send(ask);
    // undici itself asks that each body be read or destroyed; only fetch releases those that are forgotten.
    const released = reader === 'forgets' && !isFetch ? 'cancels' : reader;
    if (body !== undefined) await READERS[released](body);
    tally(`${kind} answered`);
  } catch {
    tally(own?.signal.aborted ? 'aborted' : `${kind} failed`);
  }
}

async function abortAfter(turns: number, own: AbortController): Promise<void> {
  for (let left = turns; left > 0; left--) await turn();
  own.abort();
}

async function many(requests: number): Promise<void> {
  let left = requests;
  const lane = async (): Promise<void> => {
    while (left-- > 0) {
      const which = chance(sends.length);
      await one(sends[which] as Send, which % 2 === 0);
    }
  };
  await Promise.all(Array.from({ length: CONCURRENCY }, lane));
}

const points: Checkpoint[] = [];
console.log('requests\theap KiB\tobjects\tlisteners\ttimers\tsockets\tanswering');
for (let done = 0; points.length <= CHECKPOINTS; ) {
  const next = Math.round((REQUESTS * (points.length + 1)) / (CHECKPOINTS + 1));
  await many(next - done);
  done = next;
  const point = await checkpoint(done, shared, queued, count, PROTOCOL.settleMs);
  points.push(point);
  const { heap, objects, listeners, timers, sockets, answering } = point;
  const kibibytes = (heap / 1024).toFixed(0);
  console.log([done, kibibytes, objects, listeners, timers, sockets, answering].join('\t'));
}
await close(); // resolves when no pool has a request left
let { sockets } = await count();
for (let round = 0; round < 200 && sockets > 0; round++) {
  await sleep(50);
  ({ sockets } = await count());
}
await worker.terminate();

const later = points.slice(1); // the first is the warm-up
const bytes = slopeOf(later);
function isReached(kind: string): boolean {
  return outcomes.has(`${kind} answered`) || outcomes.has(`${kind} failed`);
}
// Where undici 8 throws what nobody can catch, some six times among 1 500 requests, it may leave the session's socket.
const problems = [
  ...later.flatMap(({ requests, answering, listeners, objects }) => [
    ...(answering > 0 ? [`${answering} responses are held after ${requests} requests`] : []),
    ...(listeners > 0 ? [`${listeners} listeners are left after ${requests} requests`] : []),
    ...(objects > MAX_OBJECTS
      ? [`${objects} streams and signals are left after ${requests} requests`]
      : []),
  ]),
  ...(REQUESTS >= WARM && bytes > MAX_BYTES ? ['the heap grows'] : []),
  ...(sockets > (outcomes.get(UNCAUGHT) ?? 0) ? [`${sockets} sockets are open at the end`] : []),
  ...KINDS.filter((kind) => !isReached(kind)).map((kind) => `${kind} did not happen`),
];
console.log(Object.fromEntries([...outcomes].toSorted()));
console.log(`per request ${bytes.toFixed(1)} bytes of heap; sockets at the end: ${sockets}`);
for (const problem of problems) console.log(`PROBLEM ${problem}`);
process.exitCode = problems.length === 0 ? 0 : 1;
