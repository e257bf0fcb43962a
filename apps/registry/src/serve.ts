import { mkdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { FastifyInstance } from 'fastify';
import { FAULTS_ADDRESS } from './addresses.ts';
import { createApp, type ErrorLog } from './app.ts';
import { FaultBoard } from './faults/board.ts';
import { injectFaults } from './faults/inject.ts';
import { onStopRequest } from './lifecycle.ts';
import { Listener } from './listener.ts';
import { parseOptions, type ServeOptions, USAGE } from './options.ts';
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
  let options: ServeOptions | 'help';
  try {
    options = parseOptions(argv);
  } catch (error) {
    process.stderr.write(`parsercraft-registry: ${(error as Error).message}\n\n${USAGE}`);
    process.exitCode = 2;
    return;
  }
  if (options === 'help') {
    process.stdout.write(USAGE);
    return;
  }
  const { graceMs, exitWithParent } = options;
  const closers: (() => Promise<void> | void)[] = [];
  onStopRequest({ exitWithParent }, async () => {
    for (const close of closers.splice(0).reverse()) await close();
  });

  closers.push(flushTelemetry);
  const dataDir = resolve(options.dataDir);
  mkdirSync(dataDir, { recursive: true, mode: 0o700 });
  const token = loadToken(dataDir, process.env[TOKEN_VARIABLE]);
  const store = new PackageStore(join(dataDir, DATABASE_FILE));
  closers.push(() => store.close());
  if (options.seed) await seedOnce(store);

  const app = createApp(log);
  const listener = listenerFor(app);
  const authorize = requireToken(token.token);
  let control: Listener | undefined;
  if (options.faults) {
    const board = new FaultBoard(listener);
    const guard = before(requireLoopback, authorize);
    injectFaults(app, board, FAULTS_ADDRESS);
    faultRoutes(app, board, guard);
    const controlApp = createApp(log);
    faultRoutes(controlApp, board, guard);
    await controlApp.ready();
    control = listenerFor(controlApp);
    const controlListener = control;
    closers.push(() => controlListener.close(graceMs));
    closers.push(() => board.stop());
  }
  readRoutes(app, store);
  writeRoutes(app, store, before(authorize));
  await app.ready();
  closers.push(() => listener.close(graceMs));

  const { host, port, faults } = options;
  await listener.open({ host, port, stable: faults });
  await control?.open({ host: '127.0.0.1', port: options.controlPort, stable: false });

  if (token.origin === 'generated') {
    process.stderr.write(`parsercraft-registry: a token was stored in ${token.path}\n`);
  }
  const ready: ReadyLine = {
    listening: listener.address,
    ...(control === undefined ? {} : { control: control.address }),
  };
  process.stdout.write(`${JSON.stringify(ready)}\n`);
}
