import { mkdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { FAULTS_ADDRESS } from './addresses.ts';
import { createApp, type ErrorLog } from './app.ts';
import { FaultBoard } from './faults/board.ts';
import { injectFaults } from './faults/inject.ts';
import { onStopRequest } from './lifecycle.ts';
import { Listener } from './listener.ts';
import { DEFAULTS, parseOptions, type ServeOptions, USAGE } from './options.ts';
import { faultRoutes } from './routes/faults.ts';
import { before, requireLoopback, requireToken } from './routes/guard.ts';
import { readRoutes } from './routes/read.ts';
import { writeRoutes } from './routes/write.ts';
import { seedOnce } from './seed.ts';
import { PackageStore } from './store.ts';
import { loadToken, TOKEN_VARIABLE } from './token.ts';

export const DATABASE_FILE = 'registry.sqlite';

/** The one line on standard output that a parent waits for. */
export interface ReadyLine {
  readonly listening: { readonly host: string; readonly port: number };
  /** Where faults are switched, also while `listening` refuses; only with `--faults`. */
  readonly control?: { readonly host: string; readonly port: number };
}

const log: ErrorLog = (entry) => {
  process.stderr.write(`${JSON.stringify(entry)}\n`);
};

function listenerFor(app: FastifyInstance): Listener {
  return new Listener((request, response) => app.routing(request, response));
}

/** Runs the registry until it is asked to stop. Resolves when it listens. */
export async function serve(
  argv: readonly string[],
  flushTelemetry: () => Promise<void>,
): Promise<void> {
  const options = readCommandLine(argv);
  if (options === undefined) return;
  const { host, port, graceMs, exitWithParent } = options;

  const dataDir = resolve(options.dataDir);
  mkdirSync(dataDir, { recursive: true, mode: 0o700 });
  const { token, origin, path } = loadToken(dataDir, process.env[TOKEN_VARIABLE]);
  if (origin === 'generated') {
    process.stderr.write(`parsercraft-registry: a token was stored in ${path}\n`);
  }
  const store = new PackageStore(join(dataDir, DATABASE_FILE));
  if (options.seed) await seedOnce(store);

  const app = createApp(log);
  const listener = listenerFor(app);
  const authorize = requireToken(token);
  const faults = options.faults ? await openFaults(app, listener, options, authorize) : undefined;
  readRoutes(app, store);
  writeRoutes(app, store, before(authorize));
  await app.ready();
  await listener.open({ host, port, stable: options.faults });

  // Until here a signal ends the process at once, and nothing is lost by it.
  onStopRequest({ exitWithParent }, async () => {
    // First, since whoever hangs in a fault would use up the grace period.
    faults?.board.stop();
    await Promise.all([listener.close(graceMs), faults?.control.close(graceMs)]);
    store.close();
    await flushTelemetry();
  });
  const ready: ReadyLine = {
    listening: listener.address,
    ...(faults === undefined ? {} : { control: faults.control.address }),
  };
  process.stdout.write(`${JSON.stringify(ready)}\n`);
}

function readCommandLine(argv: readonly string[]): ServeOptions | undefined {
  try {
    const options = parseOptions(argv);
    if (options !== 'help') return options;
    process.stdout.write(USAGE);
  } catch (error) {
    process.stderr.write(`parsercraft-registry: ${(error as Error).message}\n\n${USAGE}`);
    process.exitCode = 2;
  }
  return undefined;
}

/** The switches, here and on a listener of their own that no refusal closes. */
async function openFaults(
  app: FastifyInstance,
  listener: Listener,
  options: ServeOptions,
  authorize: (request: FastifyRequest) => void,
): Promise<{ readonly board: FaultBoard; readonly control: Listener }> {
  const board = new FaultBoard(listener);
  const guard = before(requireLoopback, authorize);
  injectFaults(app, board, FAULTS_ADDRESS);
  faultRoutes(app, board, guard);
  const controlApp = createApp(log);
  faultRoutes(controlApp, board, guard);
  await controlApp.ready();
  const control = listenerFor(controlApp);
  await control.open({ host: DEFAULTS.host, port: options.controlPort, stable: false });
  return { board, control };
}
