import { messageOf } from '@temper/core/policy';
import { readSettings } from '@temper/parsercraft-handlers';
import { gracefulShutdown } from '@temper/shutdown';
import { type Demo, startDemo } from '../demo.ts';
import { type HttpSide, httpSide } from '../http/server.ts';
import { SCENARIOS, scenarioNamed } from '../scenarios/index.ts';
import { runScenario } from '../scenarios/runner.ts';
import type { ScenarioResult } from '../scenarios/scenario.ts';
import { mergeSettings } from '../service/settings.ts';
import type { Telemetry } from '../telemetry/start.ts';
import type { CommandLine } from './arguments.ts';
import { type TerminalView, viewOn } from './terminal-view.ts';

/** Runs one scenario in its own service, prints the progress, and sets the exit code from the result. */
export async function scenarioCommand(
  line: CommandLine,
  telemetry: Telemetry,
  log: (line: string) => void,
): Promise<void> {
  const scenario = scenarioNamed(line.scenario ?? '');
  if (scenario === undefined) {
    const names = SCENARIOS.map(({ name }) => name).join(', ');
    log(`Unknown scenario '${line.scenario}'. Known scenarios: ${names}.`);
    process.exitCode = 2;
    await telemetry.shutdown();
    return;
  }
  let demo: Demo | undefined;
  let http: HttpSide | undefined;
  let result: ScenarioResult | undefined;
  let view: TerminalView | undefined;
  const tell = (text: string): void =>
    view === undefined ? log(text) : view.above(() => log(text));
  const shutdown = gracefulShutdown({
    name: 'demo',
    delayMs: 0,
    timeoutMs: 15_000,
    telemetry,
    exitCode: ({ reason }) => (reason.kind === 'signal' ? 130 : result?.ok === true ? 0 : 1),
  });
  shutdown.listen();
  shutdown.register({ name: 'stop the service', run: () => demo?.stop() });
  shutdown.register({ name: 'stop listening', run: () => http?.close() });
  log(`scenario ${scenario.name}: ${scenario.about}`);
  if (telemetry.metricsUrl !== undefined) log(`metrics: ${telemetry.metricsUrl}`);
  try {
    const file = line.settings === undefined ? {} : readSettings(line.settings);
    demo = await startDemo({
      durableAudit: scenario.durableAudit ?? false,
      settings: mergeSettings(scenario.settings ?? {}, file),
      log: tell,
      signal: shutdown.signal,
    });
    http = await httpSide(demo, { host: line.host, allowedHosts: [], telemetry, log });
    await http.listen(0);
    if (!line.json) view = viewOn(process.stdout, demo);
    result = await runScenario(scenario, demo, {
      signal: shutdown.signal,
      onPhase: ({ name, about, seconds }) => tell(`phase ${name} (${seconds} s): ${about}`),
      onTransition: ({ breaker, from, to, reason, atMs }) =>
        tell(`  ${(atMs / 1000).toFixed(1)} s  circuit ${breaker}: ${from} → ${to} (${reason})`),
    });
    view?.[Symbol.dispose]();
    view = undefined;
    for (const { promise, held, shown } of result.promises) {
      log(`${held ? 'kept  ' : 'BROKEN'}  ${promise}: ${shown}`);
    }
  } catch (error) {
    view?.[Symbol.dispose]();
    if (!shutdown.signal.aborted) log(`scenario ${scenario.name}: ${messageOf(error)}`);
  }
  await shutdown.shutdown();
  if (result !== undefined && line.json) process.stdout.write(`${JSON.stringify(result)}\n`);
  // When a signal started the shutdown, the shutdown sets its own exit code.
  if (result !== undefined) process.exitCode = result.ok ? 0 : 1;
  else process.exitCode ||= 1;
}
