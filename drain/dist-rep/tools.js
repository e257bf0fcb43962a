// Each tool as its README shows it, with one time limit for all and without a delay.
import { createTerminus } from '@godaddy/terminus';
import { gracefulShutdown } from '@temper/shutdown';
import closeWithGrace from 'close-with-grace';
import { createHttpTerminator } from 'http-terminator';
import { createLightship } from 'lightship';
import stoppable from 'stoppable';
/** Time limit of the drain, in milliseconds. */
export const LIMIT_MS = 10_000;
/** Closes the framework if it can be closed, and its server otherwise. */
const close = ({ server, close }) => close?.() ?? new Promise((resolve) => server.close(resolve));
/** The app's own close() and nothing else. */
const none = (app) => process.on('SIGTERM', () => void close(app).then(() => process.exit(0)));
const temper = ({ target, close }, webSockets) => {
    const shutdown = gracefulShutdown({
        signals: ['SIGTERM'],
        delayMs: 0,
        handlerTimeoutMs: LIMIT_MS,
    });
    shutdown.server(target, { webSockets });
    if (close !== undefined)
        shutdown.register({ name: 'framework', run: close });
};
const terminus = ({ server }) => createTerminus(server, { timeout: LIMIT_MS, useExit0: true });
const lightship = async ({ server }) => {
    server.once('listening', () => ready.then((ship) => ship.signalReady()));
    const ready = createLightship({ shutdownDelay: 0, shutdownHandlerTimeout: LIMIT_MS });
    const ship = await ready;
    ship.registerShutdownHandler(() => new Promise((resolve) => server.close(() => resolve())));
};
const httpTerminator = ({ server }) => {
    const terminator = createHttpTerminator({
        server: server,
        gracefulTerminationTimeout: LIMIT_MS,
    });
    process.on('SIGTERM', () => void terminator.terminate().then(() => process.exit(0)));
};
const grace = (app) => closeWithGrace({ delay: LIMIT_MS }, async () => {
    await close(app);
});
const stoppableTool = ({ server }) => {
    const { stop } = stoppable(server, LIMIT_MS);
    process.on('SIGTERM', () => stop(() => process.exit(0)));
};
/** Each tool by its name in the table. */
export const TOOLS = {
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
export const PEERS = Object.keys(TOOLS).filter((tool) => tool !== '@temper/shutdown' && tool !== 'process.exit()');
//# sourceMappingURL=tools.js.map