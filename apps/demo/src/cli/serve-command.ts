import { messageOf } from '@temper/core/policy';
import { type LivenessWatchdog, livenessWatchdog } from '@temper/health/watchdog';
import { readSettings } from '@temper/parsercraft-handlers';
import { formatReport, gracefulShutdown } from '@temper/shutdown';
import { type Demo, startDemo } from '../demo.ts';
import { type HttpSide, httpSide } from '../http/server.ts';
import { takeDataDir } from '../service/data-dir.ts';
import { writeRunFile, writeShutdownReport } from '../service/run-file.ts';
import { SHUTDOWN_TIMES } from '../service/settings.ts';
import { type SharedStore, sharedStore } from '../service/shared-store.ts';
import type { Telemetry } from '../telemetry/start.ts';
import type { CommandLine } from './arguments.ts';
import { type TerminalView, viewOn } from './terminal-view.ts';

/** Background load in calls per second, so that the page has data to show. */
const LOAD = { fetch: 1.5, compile: 3, check: 2, lsp: 2 } as const;

/** Starts the service, which runs until a signal stops it. Resolves when it listens. */
export async function serveCommand(
  line: CommandLine,
  telemetry: Telemetry,
  log: (line: string) => void,
): Promise<void> {
  let demo: Demo | undefined;
  let http: HttpSide | undefined;
  let view: TerminalView | undefined;
  let watchdog: LivenessWatchdog | undefined;
  let store: SharedStore | undefined;
  const folder = takeDataDir(line.dataDir);
  const { path: dataDir, insteadOf } = folder;
  const tell = (text: string): void =>
    view === undefined ? log(text) : view.above(() => log(text));
  // #region shutdown
  const shutdown = gracefulShutdown({
    name: 'demo',
    ...SHUTDOWN_TIMES,
    telemetry,
    onReport: (report) => {
      const text = formatReport(report);
      if (report.outcome !== 'completed') log(text);
      writeShutdownReport(dataDir, text);
    },
    readiness: { setReady: (ready, reason) => demo?.service.monitor.setReady(ready, reason) },
  });
  shutdown.listen();
  // #endregion
  // #region handlers of the shutdown
  // Handlers run in reverse order of registration, so streams close before the service stops.
  shutdown.register({ name: 'free the data directory', run: () => folder[Symbol.dispose]() });
  shutdown.register({ name: 'stop the watchdog', run: () => watchdog?.[Symbol.asyncDispose]() });
  shutdown.register({ name: 'close the store', run: () => store?.close() });
  shutdown.register({ name: 'stop the service', run: () => demo?.stop() });
  shutdown.register({ name: 'drain the job queue', phase: 'flush', run: () => demo?.jobs.drain() });
  shutdown.register({ name: 'end streams', phase: 'intake', run: () => http?.release() });
  // #endregion
  try {
    demo = await startDemo({
      dataDir,
      durableAudit: true,
      settings: line.settings === undefined ? {} : readSettings(line.settings),
      log: tell,
      signal: shutdown.signal,
    });
    const { host, allowedHosts, clientLimit } = line;
    if (line.store !== undefined) {
      store = await sharedStore(line.store, tell);
      demo.service.monitor.register(store.check);
    }
    watchdog = await watchdogOn(host, line.port);
    const jaegerUrl = process.env.PARSERCRAFT_JAEGER_URL;
    http = await httpSide(demo, {
      host,
      allowedHosts,
      clientLimit,
      store: store?.store,
      watchdog,
      dataDir,
      telemetry,
      log: tell,
      jaegerUrl,
      token: line.token,
    });
    shutdown.server(http.server, { name: 'http' });
    const address = await http.listen(line.port, true);
    if (line.load) demo.traffic.set(LOAD);
    log(`ParserCraft: ${address}`);
    if (line.token === undefined) {
      log(`page:        ${address}/#token=${http.token} (may switch faults)`);
      log(`token:       ${http.token} (required for changes)`);
    } else {
      // A token set by the operator is a secret, and logs are read by others: it is not printed.
      log('page:        add /#token= and the token to the address, to switch faults');
      log('token:       that of PARSERCRAFT_TOKEN (required for changes)');
    }
    if (telemetry.metricsUrl !== undefined) log(`metrics:     ${telemetry.metricsUrl}`);
    const liveness = `http://${host.includes(':') ? `[${host}]` : host}:${watchdog.port}/livez`;
    log(`liveness:    ${liveness} (answers also while the event loop is stuck)`);
    if (insteadOf !== undefined) {
      log(`data:        ${dataDir} (another service has ${insteadOf})`);
    }
    writeRunFile(dataDir, {
      pid: process.pid,
      service: address,
      metrics: telemetry.metricsUrl,
      liveness,
      token: http.token,
      node: process.execPath,
      store: line.store,
    });
    view = viewOn(process.stdout, demo);
    if (view !== undefined) {
      shutdown.register({
        name: 'end the terminal view',
        phase: 'intake',
        run: () => view?.[Symbol.dispose](),
      });
    }
  } catch (error) {
    if (!shutdown.signal.aborted) log(`ParserCraft did not start: ${messageOf(error)}`);
    await shutdown.shutdown();
    process.exitCode ||= 1;
  }
}

// #region watchdog
/** Answers liveness on the port after that of the service, or on a free one when it is in use. */
async function watchdogOn(host: string, servicePort: number): Promise<LivenessWatchdog> {
  const port = servicePort === 0 ? 0 : Math.min(servicePort + 1, 65_535);
  try {
    return await livenessWatchdog({ host, port });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error;
    return livenessWatchdog({ host, port: 0 });
  }
}
// #endregion
