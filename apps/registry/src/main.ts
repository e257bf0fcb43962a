#!/usr/bin/env node
import { startTelemetry } from './telemetry.ts';

async function main(): Promise<void> {
  const shutdownTelemetry = await startTelemetry(process.env);
  // Import after the telemetry has started, because instrumented modules must be loaded later.
  const { serve } = await import('./serve.ts');
  await serve(process.argv.slice(2), shutdownTelemetry);
}

main().catch((error: unknown) => {
  const message = error instanceof Error ? error.message : String(error);
  process.stderr.write(`parsercraft-registry: ${message}\n`);
  process.exit(1);
});
