/** What an adversary does, and what it costs at most. */
export interface Adversary {
  /** Names the figure in the test that holds it. */
  readonly id: string;
  readonly does: string;
  /** What the figure counts. */
  readonly costs: string;
  readonly most: number;
  /** The test, from the root of the repository. */
  readonly test: string;
}

/** Between what we run and what somebody else runs. */
export interface Boundary {
  readonly name: string;
  /** What crosses it. */
  readonly crossed: string;
  /** What the other side is trusted with, whatever it does. */
  readonly trusted: string;
  readonly adversaries: readonly Adversary[];
}

const ratelimit = 'packages/ratelimit/test/adversary';
const audit = 'packages/audit/test/adversary';

/** The threat model: docs/security.md is made of it, and the tests that it names measure its figures. */
export const BOUNDARIES: readonly Boundary[] = [
  {
    name: 'Client',
    crossed:
      'requests to the middleware of ratelimit, the health endpoints, and what a service passes on',
    trusted: 'nothing. An address is the one of the connection, or what a named proxy has written.',
    adversaries: [
      {
        id: 'client.spoofed',
        does: 'sends 10 000 requests, each with another address in `X-Forwarded-For`, from an address that is no trusted proxy',
        costs: 'keys in the limiter',
        most: 1,
        test: `${ratelimit}/client.test.ts`,
      },
      {
        id: 'client.ipv6',
        does: 'sends 10 000 requests from as many addresses of its own /64 network',
        costs: 'keys in the limiter',
        most: 1,
        test: `${ratelimit}/client.test.ts`,
      },
      {
        id: 'client.keys',
        does: 'uses 50 000 keys, which a keyed limiter with its defaults has not seen before',
        costs: 'keys in the limiter',
        most: 10_000,
        test: `${ratelimit}/client.test.ts`,
      },
      {
        id: 'client.key-length',
        does: 'writes 1 MB into `X-Forwarded-For`, through a trusted proxy, in any mixture of addresses and text',
        costs: 'UTF-16 code units of the key',
        most: 39,
        test: `${ratelimit}/client.test.ts`,
      },
      {
        id: 'client.queue',
        does: 'makes 5000 calls at once, of which one passes and the others would wait',
        costs: 'calls that wait',
        most: 1000,
        test: `${ratelimit}/client.test.ts`,
      },
    ],
  },
  {
    name: 'Upstream',
    crossed: 'statuses, header fields, bodies and errors of the services that are called',
    trusted: 'the outcome of the call, and a wait between bounds that it asks for.',
    adversaries: [
      {
        id: 'upstream.retry-after',
        does: 'fails with a `Retry-After` of 31 years',
        costs: 'milliseconds that a call waits for a retry, with the defaults',
        most: 0,
        test: 'packages/retry/test/adversary/upstream.test.ts',
      },
      {
        id: 'upstream.block',
        does: 'announces in `RateLimit` that nothing is left for 31 years',
        costs: 'milliseconds until a call may pass',
        most: 600_000,
        test: `${ratelimit}/upstream.test.ts`,
      },
      {
        id: 'upstream.limits',
        does: 'announces 8 kB of limits in each field of a response',
        costs: 'limits that are read',
        most: 33,
        test: `${ratelimit}/upstream.test.ts`,
      },
      {
        id: 'upstream.message',
        does: 'fails with a message of 4 MB, full of what is masked',
        costs: 'UTF-16 code units that spans, logs and metrics get of it',
        most: 512,
        test: 'packages/core/test/adversary/upstream.test.ts',
      },
      {
        id: 'upstream.stack',
        does: 'makes an error whose stack is 1 MB of white space, lines and control characters',
        costs: 'UTF-16 code units that are logged',
        most: 2048,
        test: 'packages/core/test/adversary/upstream.test.ts',
      },
      {
        id: 'upstream.requests',
        does: 'answers 503, cuts connections and cuts bodies, for ever',
        costs: 'requests for one call of `resilientFetch`, with the defaults',
        most: 4,
        test: 'packages/recovery/test/adversary/upstream.test.ts',
      },
    ],
  },
  {
    name: 'Redis',
    crossed: 'replies to the scripts of `@temper/redis`',
    trusted: 'the counts of the limits that it keeps, of the right shape and in range.',
    adversaries: [
      {
        id: 'redis.silent',
        does: 'accepts commands and never answers',
        costs: 'milliseconds that a call waits for it',
        most: 250,
        test: 'packages/redis/test/adversary/redis.test.ts',
      },
      {
        id: 'redis.outage',
        does: 'never answers, while 100 calls a second are made for 10 seconds',
        costs: 'commands that are sent',
        most: 34,
        test: 'packages/redis/test/adversary/redis.test.ts',
      },
      {
        id: 'redis.reply',
        does: 'answers with lists of a million values, texts of 10 MB, nested lists, and values of every other type',
        costs: 'UTF-16 code units of the error, or of what is read of the reply',
        most: 300,
        test: 'packages/redis/test/adversary/redis.test.ts',
      },
    ],
  },
  {
    name: 'PostgreSQL',
    crossed: 'results of the statements of the audit sink',
    trusted: 'keeping events. That it has kept them unchanged is verified.',
    adversaries: [
      {
        id: 'postgres.silent',
        does: 'never answers, while 30 000 events are recorded',
        costs: 'events that are held in memory; the others are counted as lost',
        most: 10_000,
        test: `${audit}/postgres.test.ts`,
      },
      {
        id: 'postgres.append',
        does: 'never answers, while an operation waits for its event to be stored',
        costs: 'milliseconds until the operation is refused',
        most: 10_000,
        test: `${audit}/postgres.test.ts`,
      },
      {
        id: 'postgres.rows',
        does: 'returns rows that are misfiled, doubled, out of order, endless, or no rows at all',
        costs: 'lines that are taken for those of the log',
        most: 0,
        test: `${audit}/postgres.test.ts`,
      },
    ],
  },
  {
    name: 'Fleet peer',
    crossed: 'permits, units and counts of processes, in a store that processes share',
    trusted: 'its share of a limit. Who may write to the store may use up every limit in it.',
    adversaries: [
      {
        id: 'peer.permits',
        does: 'takes every permit and never gives one back, nor renews it',
        costs: 'milliseconds for which all other calls are refused, with the default lease',
        most: 30_000,
        test: `${ratelimit}/peer.test.ts`,
      },
      {
        id: 'peer.units',
        does: 'takes units with the costs 2^53, NaN, -1 and infinity',
        costs: 'milliseconds until a call of another process passes, of a window of a second',
        most: 1000,
        test: `${ratelimit}/peer.test.ts`,
      },
    ],
  },
  {
    name: 'Telemetry back end',
    crossed: 'calls of the OpenTelemetry API, whose SDK, exporters and readers others make',
    trusted: 'what it is given: names, outcomes and masked messages, no arguments and results.',
    adversaries: [
      {
        id: 'telemetry.throws',
        does: 'throws from every method of tracer, span, meter, instrument and logger, in 100 calls',
        costs: 'calls that fail',
        most: 0,
        test: 'packages/retry/test/adversary/telemetry.test.ts',
      },
      {
        id: 'telemetry.series',
        does: 'waits for a client to make series: 10 000 keys, operations and messages in a limiter',
        costs: 'series of all metrics of the limiter',
        most: 40,
        test: `${ratelimit}/telemetry.test.ts`,
      },
    ],
  },
  {
    name: 'File system',
    crossed: 'the files of the audit log, which others can rename, cut, fill and replace',
    trusted:
      'keeping bytes. What an adversary with the disk can change unseen is in the README of audit.',
    adversaries: [
      {
        id: 'files.line',
        does: 'puts a line of 64 MB without an end into a segment, or into a compressed one',
        costs: 'MiB that a reader holds of it',
        most: 6,
        test: `${audit}/files.test.ts`,
      },
      {
        id: 'files.lines',
        does: 'writes lines with lone surrogates, 100 000 levels, `__proto__`, doubled keys, and numbers that are none',
        costs: 'verifications that fail, in place of reporting the line',
        most: 0,
        test: `${audit}/files.test.ts`,
      },
      {
        id: 'files.link',
        does: 'puts a symbolic link in the place where the next segment begins',
        costs: 'bytes written through it',
        most: 0,
        test: `${audit}/files.test.ts`,
      },
    ],
  },
  {
    name: 'Plan and settings documents',
    crossed: 'plans of recovery, settings of the handlers: JSON or YAML',
    trusted: 'every setting in its range. Who writes them decides how a service behaves.',
    adversaries: [
      {
        id: 'documents.plans',
        does: 'has 50 000 mistakes, with names of 1000 characters',
        costs: 'UTF-16 code units of the message',
        most: 10_000,
        test: 'packages/recovery/test/adversary/documents.test.ts',
      },
      {
        id: 'documents.prototype',
        does: 'names `__proto__`, `constructor` and `toString` wherever a name can stand',
        costs: 'properties that every object has afterwards',
        most: 0,
        test: 'packages/recovery/test/adversary/documents.test.ts',
      },
      {
        id: 'documents.settings',
        does: 'is any text, of any length: brackets, aliases, keys',
        costs: 'UTF-16 code units that are parsed',
        most: 32_768,
        test: 'packages/parsercraft-handlers/test/adversary/documents.test.ts',
      },
    ],
  },
];

/** The figure of an adversary. @throws {RangeError} unless there is one of this id */
export function boundOf(id: string): number {
  for (const { adversaries } of BOUNDARIES) {
    for (const adversary of adversaries) if (adversary.id === id) return adversary.most;
  }
  throw new RangeError(`There is no adversary '${id}'.`);
}
