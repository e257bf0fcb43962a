import { Call } from '@temper/core/policy';
import type { HealthCheck, HealthMonitor } from '@temper/health';
import type { HardeningSettings } from './options.ts';
import type { PortContext, Subsystems } from './ports.ts';

const HEALTH = {
  operation: 'health',
  attributes: undefined,
  cost: undefined,
  priority: undefined,
  key: undefined,
};

/**
 * Registers the report's three checks. Each uses its subsystem without the guards, so that an open
 * circuit does not hide that the subsystem has recovered.
 *
 * @throws {DuplicateCheckError} when a name is taken; then none is registered
 */
export function registerHealthChecks<P, C, T, Q, R, K, A, W>(
  monitor: HealthMonitor,
  subsystems: Subsystems<P, C, T, Q, R, K, A, W>,
  { timeoutMs, ttlMs }: HardeningSettings['health'],
): void {
  const { ast, registry, lsp } = subsystems;
  const context = (signal: AbortSignal): PortContext => new Call(1, undefined, HEALTH, signal);
  const common = { timeoutMs, ttlMs };
  const checks: readonly HealthCheck[] = [
    {
      name: 'ast_integration',
      ...common,
      check: async ({ signal }) => {
        await ast.generateCode(ast.probe, context(signal));
        await ast.inferTypes(ast.probe, context(signal));
      },
    },
    {
      name: 'registry',
      ...common,
      failureStatus: 'degraded',
      check: async ({ signal }) => {
        await registry.probe(context(signal));
      },
    },
    {
      name: 'lsp',
      ...common,
      check: async ({ signal }) => {
        await lsp.probe(context(signal));
      },
    },
  ];
  const registered: Disposable[] = [];
  try {
    for (const check of checks) registered.push(monitor.register(check));
  } catch (error) {
    for (const one of registered) one[Symbol.dispose]();
    throw error;
  }
}
