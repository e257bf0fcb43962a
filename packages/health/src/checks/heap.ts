import { getHeapSpaceStatistics, getHeapStatistics } from 'node:v8';
import type { HealthCheck } from '../check-options.ts';
import { judge } from '../status.ts';
import {
  type BuiltInCheckOptions,
  checkOrder,
  resolveCheckOptions,
  thresholdRule,
} from './built-in.ts';
import { mebibytes } from './bytes.ts';
import { youngGenerationBytes } from './young-generation.ts';

/** Options of {@link heapCheck}. */
export interface HeapCheckOptions extends BuiltInCheckOptions {
  /**
   * Share of the old generation's limit, 0 to 1, from which the check is degraded.
   *
   * @defaultValue 0.8
   * @throws {RangeError} at construction, unless >= 0
   */
  readonly degraded?: number;
  /**
   * Share from which the check is unhealthy.
   *
   * @defaultValue 0.9
   * @throws {RangeError} at construction, unless >= `degraded`
   */
  readonly unhealthy?: number;
}

const OWNER = 'heapCheck';

/**
 * Checks the old generation of V8's heap against its limit (`--max-old-space-size`, or Node's default for
 * the machine), at which V8 ends the process. Objects that survive their first collections are there.
 * V8 gives up from 80 % on, when collections free too little. Uncollected garbage counts as used, so
 * combine the check with `flapping`. It cannot foresee a single allocation larger than what is left, such
 * as that of a `Map` with millions of entries that doubles.
 *
 * V8 only tells the limit of the whole heap; the young generation's part of it, up to 192 MiB, is
 * subtracted. Finding it out starts a worker thread once, for a few milliseconds.
 *
 * @throws {TypeError | RangeError} when an option is unknown or out of range
 */
export function heapCheck(options: HeapCheckOptions = {}): HealthCheck {
  const { degraded, unhealthy, ...common } = resolveCheckOptions<HeapCheckOptions>(
    OWNER,
    options,
    { degraded: 0.8, unhealthy: 0.9 },
    { degraded: thresholdRule, unhealthy: thresholdRule },
  );
  checkOrder(OWNER, 'unhealthy', degraded, unhealthy);
  return {
    name: 'heap',
    componentType: 'system',
    check: async () => {
      const limit = getHeapStatistics().heap_size_limit - (await youngGenerationBytes());
      const used = oldGenerationBytes();
      const ratio = used / limit;
      return {
        status: judge(ratio, degraded, unhealthy),
        message: `${mebibytes(used)} of ${mebibytes(limit)} of the old generation are used`,
        observed: { name: 'utilization', value: ratio, unit: '1' },
        details: { usedBytes: used, limitBytes: limit },
      };
    },
    ...common,
  };
}

/** Spaces that do not count against the limit of the old generation. */
const OTHER_SPACES: ReadonlySet<string> = new Set(['new_space', 'read_only_space']);

/**
 * Bytes of objects in the old generation, code included. Large objects of the young generation count,
 * because they are moved all at once.
 */
function oldGenerationBytes(): number {
  return getHeapSpaceStatistics()
    .filter(({ space_name }) => !OTHER_SPACES.has(space_name))
    .reduce((sum, { space_used_size }) => sum + space_used_size, 0);
}
