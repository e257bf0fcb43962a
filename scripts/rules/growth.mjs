// How the time of a parser grows with the length of its text.

/** Lengths in UTF-16 code units: each is twice the one before. */
const SHORT = 16_384;
const LONG = 4 * SHORT;
/** Texts that are tried; the slowest of them are measured. */
const TEXTS = 400;
const MEASURED = 8;

/** Milliseconds of CPU, the least of some tries. */
function cost(parser, text) {
  let least = Number.POSITIVE_INFINITY;
  for (let attempt = 0; attempt < 4; attempt++) {
    const begin = process.cpuUsage();
    try {
      parser.parse(text);
    } catch {
      // A refusal, or the fault of the parser that fuzzing reports.
    }
    const { user, system } = process.cpuUsage(begin);
    least = Math.min(least, (user + system) / 1000);
    if (least < 0.2) break;
  }
  return least;
}

/**
 * Looks for the text that grows dearest: pumped texts at one length, the slowest of them at four times that.
 *
 * @param {(parser: object, seed: number, length: number) => Iterator<string>} pumped gives texts that differ in
 *   nothing but their length for one seed
 * @returns {{ text: string, times: number, microsecondsPerUnit: number }} `times` is the factor for each doubling
 */
export function growthOf(parser, pumped, seed) {
  const [short, long] = [pumped(parser, seed, SHORT), pumped(parser, seed, LONG)];
  const tried = [];
  for (let run = 0; run < TEXTS; run++) {
    const [small, large] = [short.next().value, long.next().value];
    tried.push({ small, large, ms: cost(parser, small) });
  }
  tried.sort((a, b) => b.ms - a.ms);
  let worst = { text: '', times: 1, microsecondsPerUnit: 0 };
  for (const { small, large } of tried.slice(0, MEASURED)) {
    const [little, much] = [cost(parser, small), cost(parser, large)];
    const microsecondsPerUnit = (much * 1000) / large.length;
    // Below this the clock tells nothing.
    const times = much < 5 ? 1 : Math.sqrt(much / Math.max(little, 0.2));
    const text = JSON.stringify(small.slice(0, 200));
    const slowest = Math.max(worst.microsecondsPerUnit, microsecondsPerUnit);
    worst =
      times > worst.times
        ? { text, times, microsecondsPerUnit: slowest }
        : { ...worst, microsecondsPerUnit: slowest };
  }
  return worst;
}
