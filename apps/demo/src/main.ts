#!/usr/bin/env node
import { startTelemetry } from './telemetry/start.ts';

const say = (line: string): void => void process.stderr.write(`${line}\n`);

async function main(): Promise<void> {
  const { parseCommandLine, UsageError, USAGE } = await import('./cli/arguments.ts');
  let line: import('./cli/arguments.ts').CommandLine;
  try {
    line = parseCommandLine(process.argv.slice(2), process.env);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    say(`${error.message}\n\n${USAGE}`);
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
  // Whoever read our output may be gone before we are; that is no reason to fail.
  process.stdout.on('error', () => undefined);
  process.stderr.on('error', () => undefined);
  // Before anything is loaded that it instruments.
  const telemetry = await startTelemetry(process.env, say);
  if (line.command === 'scenario') {
    const { scenarioCommand } = await import('./cli/scenario-command.ts');
    await scenarioCommand(line, telemetry, say);
  } else {
    const { serveCommand } = await import('./cli/serve-command.ts');
    await serveCommand(line, telemetry, say);
  }
}

main().catch((error: unknown) => {
  say(`parsercraft: ${error instanceof Error ? error.message : String(error)}`);
  process.exit(1);
});
