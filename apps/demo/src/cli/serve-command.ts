import { resolve } from 'node:path';
import { readSettings } from '@temper/parsercraft-handlers';
import { gracefulShutdown } from '@temper/shutdown';
import { type Demo, startDemo } from '../demo.ts';
import { type HttpSide, httpSide } from '../http/server.ts';
import type { Telemetry } from '../telemetry/start.ts';
import type { CommandLine } from './arguments.ts';
import { type TerminalView, viewOn } from './terminal-view.ts';

/** Ordinary work, so that there is something to see: a few calls per second of each kind. */
const LOAD = { fetch: 1.5, compile: 3, check: 2, lsp: 2 } as const;
/** How long it goes on serving when it has said that it is not ready: whoever balances has seen it by then. */
const DRAIN_DELAY_MS = 500;

/** Runs the service until it is told to end. Resolves when it listens. */
export async function serveCommand(
  line: CommandLine,
  telemetry: Telemetry,
  say: (line: string) => void,
): Promise<void> {
  let demo: Demo | undefined;
  let http: HttpSide | undefined;
  let view: TerminalView | undefined;
  const tell = (text: string): void =>
    view === undefined ? say(text) : view.above(() => say(text));
  const shutdown = gracefulShutdown({
    name: 'demo',
    delayMs: DRAIN_DELAY_MS,
    timeoutMs: 15_000,
    telemetry,
    readiness: { setReady: (ready, reason) => demo?.service.monitor.setReady(ready, reason) },
  });
  shutdown.listen();
  // Last registered, first done: streams end before the service does.
  shutdown.register({ name: 'stop the service', run: () => demo?.stop() });
  shutdown.register({ name: 'end streams', phase: 'intake', run: () => http?.release() });
  try {
    demo = await startDemo({
      dataDir: resolve(line.dataDir),
      durableAudit: true,
      settings: line.settings === undefined ? {} : readSettings(line.settings),
      say: tell,
      signal: shutdown.signal,
    });
    const { host, allowedHosts, clientLimit } = line;
    const jaegerUrl = process.env.PARSERCRAFT_JAEGER_URL;
    http = await httpSide(demo, {
      host,
      allowedHosts,
      clientLimit,
      telemetry,
      say: tell,
      jaegerUrl,
    });
    shutdown.server(http.server, { name: 'http' });
    const address = await http.listen(line.port, true);
    if (line.load) demo.traffic.set(LOAD);
    say(`ParserCraft: ${address}`);
    say(`token:       ${http.token} (needed to change anything; the page has it)`);
    if (telemetry.metricsUrl !== undefined) say(`metrics:     ${telemetry.metricsUrl}`);
    view = viewOn(process.stdout, demo);
    if (view !== undefined) {
      shutdown.register({
        name: 'end the terminal view',
        phase: 'intake',
        run: () => view?.[Symbol.dispose](),
      });
    }
  } catch (error) {
    if (!shutdown.signal.aborted) say(`ParserCraft did not start: ${(error as Error).message}`);
    await shutdown.shutdown();
    process.exitCode ||= 1;
  }
}
