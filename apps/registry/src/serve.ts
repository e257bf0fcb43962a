import { mkdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { createApp, type ErrorLog } from './app.ts';
import { ActiveFaults } from './faults/active-faults.ts';
import { injectFaults } from './faults/inject.ts';
import { onStopRequest } from './lifecycle.ts';
import { Listener } from './listener.ts';
import { DEFAULTS, parseOptions, type ServeOptions, USAGE } from './options.ts';
import { FAULTS_ROUTE } from './route-patterns.ts';
import { faultRoutes } from './routes/faults.ts';
import { before, requireLoopback, requireToken } from './routes/guard.ts';
import { readRoutes } from './routes/read.ts';
import { writeRoutes } from './routes/write.ts';
import { seedOnce } from './seed.ts';
import { PackageStore } from './store.ts';
import { loadToken, TOKEN_VARIABLE } from './token.ts';

export const DATABASE_FILE = 'registry.sqlite';

/** The single line on standard output that signals readiness to the parent. */
export interface ReadyLine {
  readonly listening: { readonly host: string; readonly port: number };
  /**
   * The control listener for faults, available also while the port refuses; only with `--faults`.
   */
  readonly control?: { readonly host: string; readonly port: number };
}

const log: ErrorLog = (entry) => {
  process.stderr.write(`${JSON.stringify(entry)}\n`);
};

function listenerFor(app: FastifyInstance): Listener {
  return new Listener((request, response) => app.routing(request, response));
}

/** Runs the registry until it is stopped. Resolves when it is listening. */
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

  // Before this point a signal ends the process immediately without loss of data.
  onStopRequest({ exitWithParent }, async () => {
    // First, because requests hanging in a fault would use up the grace period.
    faults?.activeFaults.stop();
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

/** Installs the fault routes on the main listener, and on a control listener that stays open. */
async function openFaults(
  app: FastifyInstance,
  listener: Listener,
  options: ServeOptions,
  authorize: (request: FastifyRequest) => void,
): Promise<{ readonly activeFaults: ActiveFaults; readonly control: Listener }> {
  const activeFaults = new ActiveFaults(listener);
  const guard = before(requireLoopback, authorize);
  injectFaults(app, activeFaults, FAULTS_ROUTE);
  faultRoutes(app, activeFaults, guard);
  const controlApp = createApp(log);
  faultRoutes(controlApp, activeFaults, guard);
  await controlApp.ready();
  const control = listenerFor(controlApp);
  await control.open({ host: DEFAULTS.host, port: options.controlPort, stable: false });
  return { activeFaults, control };
}
