/** Most UTF-16 code units of lines in memory: a whole segment of the default size. */
const WINDOW = 32 * 1024 * 1024;

/**
 * The lines of something that can only be read from its beginning, in reverse order. Each pass over it
 * keeps the last lines that were not returned yet, as many as `window` allows, so that memory does not
 * grow with the number of lines. What is k windows long is read k times, each time up to where the
 * pass before began.
 *
 * @param forward - reads all lines, in batches; called once for each pass
 * @param window - UTF-16 code units of the lines in memory, not counting one batch more
 */
export async function* reversed(
  forward: () => AsyncIterable<readonly string[]>,
  window: number = WINDOW,
): AsyncGenerator<readonly string[], void, undefined> {
  for (let end = Number.POSITIVE_INFINITY; end > 0; ) {
    const kept: { readonly lines: readonly string[]; readonly units: number }[] = [];
    let [read, dropped, units] = [0, 0, 0];
    for await (const all of forward()) {
      const lines = read + all.length > end ? all.slice(0, end - read) : all;
      read += lines.length;
      const added = lines.reduce((sum, line) => sum + line.length, 0);
      kept.push({ lines, units: added });
      units += added;
      while (units > window && kept.length > 1) {
        const first = kept.shift() as (typeof kept)[number];
        units -= first.units;
        dropped += first.lines.length;
      }
      if (read >= end) break;
    }
    for (let last = kept.pop(); last !== undefined; last = kept.pop())
      yield last.lines.toReversed();
    end = dropped;
  }
}
