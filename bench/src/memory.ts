/** Average heap size of an object, in bytes. */
export function bytesEach(count: number, make: (index: number) => unknown): number {
  const kept = new Array<unknown>(count).fill(undefined);
  collectGarbage();
  const before = process.memoryUsage().heapUsed;
  for (let i = 0; i < count; i++) kept[i] = make(i);
  collectGarbage();
  const bytes = (process.memoryUsage().heapUsed - before) / count;
  if (kept.length !== count) throw new Error('The things must be alive until they are weighed.');
  return bytes;
}

/** Objects that are used before others are weighed. */
const WARM_UP = 20;

/** Average heap size of an object that has been used, in bytes. All are used at the same time. */
export async function bytesEachUsed<T>(
  count: number,
  make: (index: number) => T,
  use: (made: T) => Promise<void>,
): Promise<number> {
  // What the first ones load and compile is not their own.
  for (let i = 0; i < WARM_UP; i++) await use(make(i));
  const kept = new Array<T | undefined>(count).fill(undefined);
  collectGarbage();
  const before = process.memoryUsage().heapUsed;
  for (let i = 0; i < count; i++) kept[i] = make(WARM_UP + i);
  await Promise.all(kept.map((made) => use(made as T)));
  await new Promise((resolve) => setTimeout(resolve, 0)); // what the last calls hold is let go of
  collectGarbage();
  const bytes = (process.memoryUsage().heapUsed - before) / count;
  if (kept.length !== count) throw new Error('The things must be alive until they are weighed.');
  return bytes;
}

function collectGarbage(): void {
  if (globalThis.gc === undefined) throw new Error('Run Node with --expose-gc.');
  globalThis.gc();
  globalThis.gc();
}

/** Number of timers that keep this process alive. */
export function activeTimers(): number {
  return process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length;
}
