// Each tool as its README shows it, with one time limit for all and without a delay. Only @temper/shutdown knows
// for how long an idle connection is kept, which the environment may set.
import { createTerminus } from '@godaddy/terminus';
import { gracefulShutdown } from '@temper/shutdown';
import closeWithGrace from 'close-with-grace';
import { createHttpTerminator } from 'http-terminator';
import { createLightship } from 'lightship';
import stoppable from 'stoppable';
import type { WebSocketServer } from 'ws';
import type { App } from './frameworks/app.ts';

/** Time limit of the drain, in milliseconds. */
export const LIMIT_MS = 10_000;

/** Makes an app shut down on SIGTERM. Called before it listens. */
export type Tool = (app: App, webSockets: WebSocketServer) => unknown;

/** The peers type a server as one of `node:http`; each of Node's has the methods they call. */
type HttpServer = import('node:http').Server;

/** Closes the framework if it can be closed, and its server otherwise. */
const close = ({ server, close }: App): Promise<unknown> =>
  close?.() ?? new Promise((resolve) => server.close(resolve));

/** The app's own close() and nothing else. */
const none: Tool = (app) =>
  process.on('SIGTERM', () => void close(app).then(() => process.exit(0)));

const { IDLE_GRACE_MS } = process.env;

const temper: Tool = ({ target, close }, webSockets) => {
  const shutdown = gracefulShutdown({
    signals: ['SIGTERM'],
    delayMs: 0,
    handlerTimeoutMs: LIMIT_MS,
  });
  shutdown.server(target as HttpServer, {
    webSockets,
    ...(IDLE_GRACE_MS === undefined ? {} : { idleGraceMs: Number(IDLE_GRACE_MS) }),
  });
  if (close !== undefined) shutdown.register({ name: 'framework', run: close });
};

const terminus: Tool = ({ server }) =>
  createTerminus(server as HttpServer, { timeout: LIMIT_MS, useExit0: true });

const lightship: Tool = async ({ server }) => {
  server.once('listening', () => ready.then((ship) => ship.signalReady()));
  const ready = createLightship({ shutdownDelay: 0, shutdownHandlerTimeout: LIMIT_MS });
  const ship = await ready;
  ship.registerShutdownHandler(() => new Promise<void>((resolve) => server.close(() => resolve())));
};

const httpTerminator: Tool = ({ server }) => {
  const terminator = createHttpTerminator({
    server: server as HttpServer,
    gracefulTerminationTimeout: LIMIT_MS,
  });
  process.on('SIGTERM', () => void terminator.terminate().then(() => process.exit(0)));
};

const grace: Tool = (app) =>
  closeWithGrace({ delay: LIMIT_MS }, async () => {
    await close(app);
  });

const stoppableTool: Tool = ({ server }) => {
  const { stop } = stoppable(server as HttpServer, LIMIT_MS);
  process.on('SIGTERM', () => stop(() => process.exit(0)));
};

/** Each tool by its name in the table. */
export const TOOLS: Readonly<Record<string, Tool>> = {
  '@temper/shutdown': temper,
  '@godaddy/terminus': terminus,
  lightship,
  'http-terminator': httpTerminator,
  'close-with-grace': grace,
  stoppable: stoppableTool,
  'close()': none,
  // Loses everything that is in flight: shows that the client counts.
  'process.exit()': () => process.on('SIGTERM', () => process.exit(0)),
};

/** The tools beside Temper in the table. */
export const PEERS: readonly string[] = Object.keys(TOOLS).filter(
  (tool) => tool !== '@temper/shutdown' && tool !== 'process.exit()',
);
