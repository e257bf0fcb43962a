import { basename } from 'node:path';
import { diag } from '@opentelemetry/api';
import { afterAll, beforeAll, beforeEach } from 'vitest';
import { diagnosticsProblem } from '../packages/testkit/src/repository/diagnostics.ts';

// What a unit test may not leave behind: a listener on the process, or what keeps the process alive; nor may it cause
// a diagnostic that it does not read. (An unhandled rejection fails the run already.) A test that causes one says so
// by `expectDiagnostics` of @temper/testkit/repository/diagnostics, or sets a logger of its own, which replaces this.

/** Packages of which every unit test says which diagnostics it causes. */
const DIAGNOSTICS = ['health', 'retry', 'runbooks', 'shutdown', 'testkit'];
/** What keeps a process alive, by the names that Node gives. */
const HANDLES = ['ProcessWrap', 'TCPServerWrap', 'TCPSocketWrap', 'Timeout', 'TLSWrap'];
/** Turns of the event loop in which what was closed may go. */
const TURNS = 500;
/** Taken at import: a test may replace it. */
const { setImmediate: nextTurn } = globalThis;

function count<K>(all: Iterable<K>): Map<K, number> {
  const counts = new Map<K, number>();
  for (const each of all) counts.set(each, (counts.get(each) ?? 0) + 1);
  return counts;
}
const handles = () =>
  count(process.getActiveResourcesInfo().filter((name) => HANDLES.includes(name)));
const listeners = () =>
  count(process.eventNames().flatMap((name) => Array(process.listenerCount(name)).fill(name)));

/** What there is more of than before. */
function added<K>(before: ReadonlyMap<K, number>, after: ReadonlyMap<K, number>): string {
  return [...after]
    .filter(([name, now]) => now > (before.get(name) ?? 0))
    .map(([name, now]) => `${String(name)} (${now - (before.get(name) ?? 0)})`)
    .join(', ');
}

let logged: string[] = [];
const note = (...parts: unknown[]): void => void logged.push(parts.map(String).join(' '));
const quiet = (): void => undefined;
const recorder = { error: note, warn: note, info: quiet, debug: quiet, verbose: quiet };

// The logger of a test takes the place of the recorder, without the warning that one was there.
const { setLogger } = diag;
diag.setLogger = ((...given: Parameters<typeof setLogger>) => {
  diag.disable();
  return setLogger(...given);
}) as typeof setLogger;
const reads = DIAGNOSTICS.includes(basename(process.cwd()));

beforeEach(({ onTestFinished }) => {
  const before = listeners();
  logged = [];
  if (reads) diag.setLogger(recorder);
  // The first of these to be registered is the last to run.
  onTestFinished(() => {
    if (reads) diag.disable();
    const left = added(before, listeners());
    if (left !== '') throw new Error(`The test left listeners on process: ${left}.`);
    const problem = diagnosticsProblem(logged);
    if (reads && problem !== undefined) throw new Error(problem);
  });
});

let begunWith = new Map<string, number>();
beforeAll(() => {
  begunWith = handles();
});
afterAll(async () => {
  for (let turn = 0; turn < TURNS && added(begunWith, handles()) !== ''; turn++) {
    await new Promise((resolve) => nextTurn(resolve));
  }
  const left = added(begunWith, handles());
  if (left !== '') throw new Error(`The tests left what keeps a process alive: ${left}.`);
});
