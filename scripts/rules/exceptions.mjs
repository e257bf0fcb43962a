// What the rules allow by name, each with its reason. An exception that nothing uses is reported.
import { matchesGlob } from 'node:path';

/**
 * @typedef {object} Exception
 * @property {string} rule
 * @property {string} files a glob, relative to the root
 * @property {string[]} [what] only these imports or uses; all, when left out
 * @property {string} reason
 */

/** @type {Exception[]} */
export const EXCEPTIONS = [
  {
    rule: 'source-time',
    files: 'packages/core/src/clock.ts',
    reason: 'It is the system clock that every package is given.',
  },
  {
    rule: 'source-time',
    files: 'packages/core/src/time-{source,readings}.ts',
    reason:
      'They find out what the system clock is: the functions of the process, or those of a test.',
  },
  {
    rule: 'source-time',
    files: 'packages/testkit/src/faults/faults.ts',
    what: ['setTimeout'],
    reason:
      'The test kit stands below no clock; without the one of its option it waits in real time.',
  },
  {
    rule: 'source-time',
    files: 'packages/health/src/watchdog/{program,watchdog}.ts',
    what: ['performance.now', 'setInterval'],
    reason: 'They watch the real event loop, from a thread that has no clock of a test.',
  },
  {
    rule: 'source-chance',
    files: 'packages/core/src/random.ts',
    reason: 'It is the system random source that every package is given.',
  },
  {
    rule: 'source-time',
    files: 'packages/testkit/src/manual-clock.ts',
    what: ['setImmediate', 'setTimeout'],
    reason: '`settle` waits until all pending promise callbacks of the event loop have run.',
  },
  {
    rule: 'source-time',
    files: 'packages/audit/src/log/loop-turn.ts',
    what: ['node:timers'],
    reason: '`setImmediate` lets timers and I/O run between two steps. It waits for no time.',
  },
  {
    rule: 'source-time',
    files: 'packages/shutdown/src/server/*.ts',
    what: ['setImmediate'],
    reason: 'Node closes sockets in a later phase of the event loop. No time is waited for.',
  },
  {
    rule: 'otel',
    files: 'packages/testkit/src/repository/in-memory-telemetry.ts',
    reason: 'It is an OpenTelemetry SDK in memory: that is its purpose.',
  },
  {
    rule: 'redis-types',
    files: 'packages/redis/src/guard.ts',
    what: ['@temper/breaker'],
    reason: 'A circuit breaker guards the calls to the Redis server itself.',
  },
  {
    rule: 'test-time',
    files: 'packages/core/src/clock.test.ts',
    reason: 'It tests the system clock.',
  },
  {
    rule: 'test-time',
    files: 'packages/core/src/time-source.test.ts',
    reason: 'It tests what happens to the system clock when timer functions are replaced.',
  },
  {
    rule: 'test-time',
    files: 'packages/shutdown/src/handles.test.ts',
    reason: 'It tests the list of the timers and child processes that keep a process alive.',
  },
  {
    rule: 'test-time',
    files: 'packages/health/src/checks/event-loop.test.ts',
    reason: 'It tests measurements of the real event loop, which it has to block.',
  },
  {
    rule: 'test-time',
    files: 'packages/health/src/process-metrics.test.ts',
    reason: 'It tests measurements of the real event loop, which it has to block.',
  },
  {
    rule: 'test-time',
    files: 'packages/health/test/bounds.ts',
    reason: 'It reads the real event loop and processor beside the measurements that it bounds.',
  },
  {
    rule: 'test-time',
    files: 'packages/audit/test/{kill*,postgres-server}.ts',
    reason: 'Suites in test/servers use it to run and to kill real processes.',
  },
  {
    rule: 'test-time',
    files: 'packages/audit/test/retention.test.ts',
    what: ['setImmediate'],
    reason: 'Its signer takes turns of the event loop, as one in a thread or a service does.',
  },
  {
    rule: 'test-time',
    files: 'packages/shutdown/test/listeners.test.ts',
    what: ['node:timers/promises'],
    reason: 'It tests real servers with real connections.',
  },
  {
    rule: 'test-time',
    files: 'packages/redis/test/redis-server.ts',
    reason: 'Suites in test/servers use it to run a real server.',
  },
  {
    rule: 'test-time',
    files: 'apps/registry/test/*.ts',
    reason: 'The registry runs as a real process, and its injected delays are what is tested.',
  },
  {
    rule: 'test-time',
    files:
      'apps/parsercraft/src/{types/check,parse/parse,interpret/run,registry-client/resolve.property}.test.ts',
    reason: 'It asserts that work which could grow exponentially ends within seconds.',
  },
  {
    rule: 'test-time',
    files: 'apps/parsercraft/src/lsp/lsp-process.test.ts',
    reason: 'It kills a real child process at varied moments.',
  },
  {
    rule: 'test-time',
    files: 'clients/test/cases/*.ts',
    reason: 'Real client libraries run in real time, whose timeouts are what is provoked.',
  },
  {
    rule: 'test-time',
    files: 'packages/forecast/test/evaluation/evaluate.ts',
    what: ['process.hrtime.bigint'],
    reason: 'It measures what a call costs; no test looks at that figure.',
  },
  {
    rule: 'test-time',
    files: 'bench/src/*.test.ts',
    what: ['performance.now'],
    reason: 'The runner under test measures real time.',
  },
];

/**
 * @param {import('./violations.mjs').Violation[]} violations
 * @param {Exception[]} exceptions
 * @returns {{ left: import('./violations.mjs').Violation[], unused: Exception[] }} the violations that no
 *   exception allows, and the exceptions that allow none
 */
export function applyExceptions(violations, exceptions = EXCEPTIONS) {
  const used = new Set();
  const left = violations.filter(({ rule, file, what }) => {
    const exception = exceptions.find(
      (one) =>
        one.rule === rule &&
        matchesGlob(file, one.files) &&
        (one.what === undefined || one.what.includes(what)),
    );
    if (exception !== undefined) used.add(exception);
    return exception === undefined;
  });
  return { left, unused: exceptions.filter((one) => !used.has(one)) };
}
