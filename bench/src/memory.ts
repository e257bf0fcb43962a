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

function collectGarbage(): void {
  if (globalThis.gc === undefined) throw new Error('Run Node with --expose-gc.');
  globalThis.gc();
  globalThis.gc();
}

/** Number of timers that keep this process alive. */
export function activeTimers(): number {
  return process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length;
}
