const KEYS = /^(?:temper\.telemetry|opentelemetry\.js\.api)\./;

/**
 * Ends what core and the API of OpenTelemetry keep for the process, so that a test finds no providers, scopes,
 * series and metric producers of the one before it. A scope that was made before hears of no provider any more.
 */
export function freshHub(): void {
  const root = globalThis as unknown as Record<symbol, unknown>;
  const keys = Object.getOwnPropertySymbols(root).filter((key) => KEYS.test(key.description ?? ''));
  for (const key of keys) delete root[key];
}
