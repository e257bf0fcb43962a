/** The series of one metric in Prometheus's text format, by their labels. */
export function seriesOf(text: string, metric: string): ReadonlyMap<string, number> {
  const series = new Map<string, number>();
  for (const line of text.split('\n')) {
    const match = /^(\w+)\{(.*)\} (\S+)/.exec(line);
    if (match?.[1] === metric) series.set(match[2] as string, Number(match[3]));
  }
  return series;
}

/** The sum of the series that have all of these labels, such as `temper_outcome="failure"`. */
export function sumOf(text: string, metric: string, ...labels: readonly string[]): number {
  let sum = 0;
  for (const [own, value] of seriesOf(text, metric)) {
    if (labels.every((label) => own.includes(label))) sum += value;
  }
  return sum;
}
