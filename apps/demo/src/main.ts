#!/usr/bin/env node
import { messageOf } from '@temper/core/policy';
import { startTelemetry } from './telemetry/start.ts';

const log = (line: string): void => void process.stderr.write(`${line}\n`);

async function main(): Promise<void> {
  const { parseCommandLine, UsageError, USAGE } = await import('./cli/arguments.ts');
  let line: import('./cli/arguments.ts').CommandLine;
  try {
    line = parseCommandLine(process.argv.slice(2), process.env);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    log(`${error.message}\nnpm start -- --help lists the options.`);
    process.exitCode = 2;
    return;
  }
  if (line.command === 'help') {
    process.stdout.write(USAGE);
    return;
  }
  if (line.command === 'list') {
    const { listScenarios } = await import('./cli/list.ts');
    listScenarios(line.json);
    return;
  }
  // A closed output pipe must not end the process.
  process.stdout.on('error', () => undefined);
  process.stderr.on('error', () => undefined);
  // Must run before the modules that it instruments are loaded.
  const telemetry = await startTelemetry(process.env, log, line.allowedHosts);
  if (line.command === 'scenario') {
    const { scenarioCommand } = await import('./cli/scenario-command.ts');
    await scenarioCommand(line, telemetry, log);
  } else {
    const { serveCommand } = await import('./cli/serve-command.ts');
    await serveCommand(line, telemetry, log);
  }
}

main().catch((error: unknown) => {
  log(`parsercraft: ${messageOf(error)}`);
  process.exit(1);
});
