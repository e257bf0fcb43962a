import { resolve } from 'node:path';
import { messageOf } from '@temper/core/policy';
import { readSettings } from '@temper/parsercraft-handlers';
import { gracefulShutdown } from '@temper/shutdown';
import { type Demo, startDemo } from '../demo.ts';
import { type HttpSide, httpSide } from '../http/server.ts';
import type { Telemetry } from '../telemetry/start.ts';
import type { CommandLine } from './arguments.ts';
import { type TerminalView, viewOn } from './terminal-view.ts';

/** Background load in calls per second, so that the page has data to show. */
const LOAD = { fetch: 1.5, compile: 3, check: 2, lsp: 2 } as const;
/** How long the service keeps serving after it reports not ready, so that load balancers notice. */
const DRAIN_DELAY_MS = 500;

/** Starts the service, which runs until a signal stops it. Resolves when it listens. */
export async function serveCommand(
  line: CommandLine,
  telemetry: Telemetry,
  log: (line: string) => void,
): Promise<void> {
  let demo: Demo | undefined;
  let http: HttpSide | undefined;
  let view: TerminalView | undefined;
  const tell = (text: string): void =>
    view === undefined ? log(text) : view.above(() => log(text));
  const shutdown = gracefulShutdown({
    name: 'demo',
    delayMs: DRAIN_DELAY_MS,
    timeoutMs: 15_000,
    telemetry,
    readiness: { setReady: (ready, reason) => demo?.service.monitor.setReady(ready, reason) },
  });
  shutdown.listen();
  // Handlers run in reverse order of registration, so streams close before the service stops.
  shutdown.register({ name: 'stop the service', run: () => demo?.stop() });
  shutdown.register({ name: 'end streams', phase: 'intake', run: () => http?.release() });
  try {
    demo = await startDemo({
      dataDir: resolve(line.dataDir),
      durableAudit: true,
      settings: line.settings === undefined ? {} : readSettings(line.settings),
      log: tell,
      signal: shutdown.signal,
    });
    const { host, allowedHosts, clientLimit } = line;
    const jaegerUrl = process.env.PARSERCRAFT_JAEGER_URL;
    http = await httpSide(demo, {
      host,
      allowedHosts,
      clientLimit,
      telemetry,
      log: tell,
      jaegerUrl,
    });
    shutdown.server(http.server, { name: 'http' });
    const address = await http.listen(line.port, true);
    if (line.load) demo.traffic.set(LOAD);
    log(`ParserCraft: ${address}`);
    log(`token:       ${http.token} (required for changes; the page has it)`);
    if (telemetry.metricsUrl !== undefined) log(`metrics:     ${telemetry.metricsUrl}`);
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
