#!/usr/bin/env node
// Telemetry first: what it instruments must not be loaded before it.
import { shutdownTelemetry } from './telemetry.ts';

import('./serve.ts')
  .then(({ serve }) => serve(process.argv.slice(2), shutdownTelemetry))
  .catch((error: unknown) => {
    process.stderr.write(
      `parsercraft-registry: ${error instanceof Error ? error.message : error}\n`,
    );
    process.exit(1);
  });
