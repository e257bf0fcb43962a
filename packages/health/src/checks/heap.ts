import { getHeapStatistics } from 'node:v8';
import type { HealthCheck } from '../check-options.ts';
import { judge } from '../status.ts';
import {
  type BuiltInCheckOptions,
  checkOrder,
  resolveCheckOptions,
  thresholdRule,
} from './built-in.ts';
import { mebibytes } from './bytes.ts';

/** Options of {@link heapCheck}. */
export interface HeapCheckOptions extends BuiltInCheckOptions {
  /**
   * Share of V8's heap limit, 0 to 1, from which the check is degraded.
   *
   * @defaultValue 0.85
   * @throws {RangeError} at construction, unless >= 0
   */
  readonly degraded?: number;
  /**
   * Share from which the check is unhealthy.
   *
   * @defaultValue 0.95
   * @throws {RangeError} at construction, unless >= `degraded`
   */
  readonly unhealthy?: number;
}

const OWNER = 'heapCheck';

/**
 * Checks the used V8 heap against V8's heap limit (`--max-old-space-size`, or Node's default for the
 * machine). Uncollected garbage counts as used, so combine it with `flapping`.
 *
 * @throws {TypeError | RangeError} when an option is unknown or out of range
 */
export function heapCheck(options: HeapCheckOptions = {}): HealthCheck {
  const { degraded, unhealthy, ...common } = resolveCheckOptions<HeapCheckOptions>(
    OWNER,
    options,
    { degraded: 0.85, unhealthy: 0.95 },
    { degraded: thresholdRule, unhealthy: thresholdRule },
  );
  checkOrder(OWNER, 'unhealthy', degraded, unhealthy);
  return {
    name: 'heap',
    componentType: 'system',
    check: () => {
      const { used_heap_size: used, heap_size_limit: limit } = getHeapStatistics();
      const ratio = used / limit;
      return {
        status: judge(ratio, degraded, unhealthy),
        message: `${mebibytes(used)} of ${mebibytes(limit)} of the heap are used`,
        observed: { name: 'utilization', value: ratio, unit: '1' },
        details: { usedBytes: used, limitBytes: limit },
      };
    },
    ...common,
  };
}
