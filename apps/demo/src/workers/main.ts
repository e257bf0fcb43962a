import { getHeapStatistics } from 'node:v8';
import type { Assignment, Report } from './messages.ts';
import { endWithParent } from './parent.ts';
import { perform, warmUp } from './perform.ts';
import { encodeError } from './wire-errors.ts';

/** Part of the heap that may stay in use between two jobs. */
const MAX_KEPT = 0.5;

function isFull(): boolean {
  const used = (): number => {
    const { used_heap_size, heap_size_limit } = getHeapStatistics();
    return used_heap_size / heap_size_limit;
  };
  if (used() < MAX_KEPT) return false;
  globalThis.gc?.();
  return used() >= MAX_KEPT;
}

const report = (message: Report): void => {
  // The service may be gone. Then `disconnect` ends this process.
  process.send?.(message, undefined, undefined, () => undefined);
};

endWithParent();
// The service ends its workers itself: a terminal signals the whole process group.
process.on('SIGINT', () => undefined);
process.on('SIGTERM', () => undefined);
process.on('disconnect', () => process.exit());
process.on('message', async (assignment: Assignment) => {
  if (assignment === 'end') process.exit();
  const { id, job } = assignment;
  const outcome = await perform(job).then(
    (value) => ({ ok: true, value }) as const,
    (error: unknown) => ({ ok: false, error: encodeError(error) }) as const,
  );
  report({ type: 'done', id, outcome, full: isFull() });
});
await warmUp();
report({ type: 'ready' });
