import { parse, stringify } from 'yaml';

const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };

/** How many times faster time passes in the fleet than in the rules: five minutes are ten seconds. */
const SPEED = 30;

/** A duration of Prometheus in a fleet. */
function scaled(duration: string): string {
  const ms = [...duration.matchAll(/(\d+)(ms|[smh])/g)].reduce(
    (sum, [, count, unit]) => sum + Number(count) * (UNITS[unit as string] as number),
    0,
  );
  return `${Math.round(ms / SPEED)}ms`;
}

interface Rule {
  expr: string;
  for?: string;
  keep_firing_for?: string;
}

/** The same rules with every duration scaled: windows, offsets, waiting times and intervals. */
export function scaledRules(yaml: string): string {
  const document = parse(yaml) as { groups: { interval: string; rules: Rule[] }[] };
  for (const group of document.groups) {
    group.interval = scaled(group.interval);
    for (const rule of group.rules) {
      rule.expr = rule.expr
        .replace(/\[(\w+)\]/g, (_, window: string) => `[${scaled(window)}]`)
        .replace(/\boffset (\w+)/g, (_, by: string) => `offset ${scaled(by)}`);
      if (rule.for !== undefined) rule.for = scaled(rule.for);
      if (rule.keep_firing_for !== undefined) {
        rule.keep_firing_for = scaled(rule.keep_firing_for);
      }
    }
  }
  return stringify(document, { lineWidth: 0 });
}

type Json = string | number | null | readonly Json[] | { readonly [key: string]: Json };

/** The same routing with every duration scaled, and with its receivers at another address. */
export function scaledRouting(yaml: string, receiver: string): string {
  const walk = (value: Json, key = ''): Json => {
    if (typeof value === 'string') {
      if (/_(?:wait|interval)$/.test(key)) return scaled(value);
      return key === 'url' ? value.replace(/^http:\/\/[^/]+/, receiver) : value;
    }
    if (Array.isArray(value)) return value.map((one) => walk(one as Json));
    if (typeof value !== 'object' || value === null) return value;
    return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, walk(one, name)]));
  };
  return stringify(walk(parse(yaml) as Json), { lineWidth: 0 });
}
