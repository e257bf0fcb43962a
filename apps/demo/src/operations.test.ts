import { readFileSync } from 'node:fs';
import { getRunbook, listRunbooks } from '@temper/runbooks';
import { describe, expect, it } from 'vitest';
import { DEFAULT_PORT, parseCommandLine } from './cli/arguments.ts';
import { SCENARIOS } from './scenarios/index.ts';
import { DEFAULT_DATA_DIR } from './service/data-dir.ts';
import { CLIENT_LIMIT, SHUTDOWN_TIMES } from './service/settings.ts';
import { PROMETHEUS_PORT } from './telemetry/environment.ts';

const ROOT = new URL('../../../', import.meta.url);
const read = (path: string): string => readFileSync(new URL(path, ROOT), 'utf8');
const guide = read('docs/operations.md');
const rules = read('observability/prometheus/rules/scrape.yaml');

/** The cells of the table row that begins with this cell. */
function row(first: string): readonly string[] {
  const line = guide.split('\n').find((one) => one.startsWith(`| ${first} `));
  if (line === undefined) throw new Error(`There is no row '${first}'.`);
  return line
    .split('|')
    .slice(1, -1)
    .map((cell) => cell.trim().replaceAll('`', ''));
}

/** A default of `gracefulShutdown` from its README, which is held to the code there. */
function shutdownDefault(option: string): string {
  const cell = new RegExp(`^\\| \`${option}\` +\\| \`(\\d+)\``, 'm').exec(
    read('packages/shutdown/README.md'),
  )?.[1];
  if (cell === undefined) throw new Error(`The README has no default of ${option}.`);
  return cell;
}

describe('the operations guide', () => {
  it('has the defaults of the service', () => {
    const { host, port, store } = parseCommandLine([]);
    expect(port).toBe(DEFAULT_PORT);
    expect(row('service')[1]).toBe(`http://${host}:${port}`);
    expect(row('metrics')[1]).toBe(`http://127.0.0.1:${PROMETHEUS_PORT}/metrics`);
    expect(row('liveness, by the watchdog')[1]).toBe(`http://${host}:${port + 1}/livez`);
    expect(row('data directory')[1]).toBe(DEFAULT_DATA_DIR);
    expect(row('requests allowed per client, minute')[1]).toBe(String(CLIENT_LIMIT.limit));
    expect(row('shared store of the client limit')[1]).toBe(store ?? 'none');
    expect(CLIENT_LIMIT.windowMs).toBe(60_000);
  });

  it('has the setup of the runbooks, whose comments are the defaults', () => {
    for (const id of listRunbooks()) {
      const { setup = '' } = getRunbook(id) ?? {};
      expect(guide).toContain(`\`\`\`sh\n${setup}\n\`\`\``);
      for (const name of ['service', 'metrics', 'liveness, by the watchdog']) {
        expect(setup).toContain(`# ${row(name)[1]}\n`);
      }
      expect(setup).toContain(`DATA=\${DATA:-${row('data directory')[1]}}`);
    }
  });

  it('has the times of the shutdown, and grace periods above them', () => {
    const [, ...defaults] = row('defaults');
    expect(defaults.slice(0, 3)).toEqual(['delayMs', 'timeoutMs', 'lingerMs'].map(shutdownDefault));
    const [, ...ours] = row('ParserCraft service');
    const { delayMs, timeoutMs } = SHUTDOWN_TIMES;
    expect(ours.slice(0, 3)).toEqual([delayMs, timeoutMs, shutdownDefault('lingerMs')].map(String));
    for (const [, timeout = '', linger = '', grace = ''] of [defaults, ours]) {
      expect(Number.parseInt(grace, 10) * 1_000).toBeGreaterThan(Number(timeout) + Number(linger));
    }
  });

  it('has the thresholds of the alerts', () => {
    const named = [...guide.matchAll(/^\|[^|]*\| `(Temper\w+)` +\| (\d+) % for (\w+)/gm)];
    expect(named.length).toBeGreaterThanOrEqual(4);
    for (const [, alert, percent, duration] of named) {
      const rule = new RegExp(`- alert: ${alert}\\n +expr: ([^]*?)\\n +for: (\\w+)`).exec(rules);
      expect(rule?.[1], alert).toMatch(new RegExp(`> ${Number(percent) / 100}(?: and |$)`));
      expect(rule?.[2], alert).toBe(duration);
    }
    for (const [alert] of guide.matchAll(/\bTemper[A-Z]\w+/g)) {
      expect(rules).toContain(`- alert: ${alert}\n`);
    }
    const longest = Math.max(
      ...[...rules.matchAll(/^ +for: (\d+)m$/gm)].map(([, minutes]) => Number(minutes)),
    );
    expect(guide).toContain(`the longest alert window (${longest} minutes)`);
    for (const [, severity] of rules.matchAll(/severity: (\w+)/g)) {
      expect(guide).toContain(`\`severity="${severity}"\``);
    }
  });

  it('names only runbooks and scenarios that exist', () => {
    for (const [, id = ''] of guide.matchAll(/runbooks? `(\w+)`/gi)) {
      expect(listRunbooks()).toContain(id);
    }
    const commands = [...guide.matchAll(/`npm start -- ([^`]+)`/g)];
    expect(commands.length).toBeGreaterThan(0);
    for (const [, args = ''] of commands) {
      const { scenario } = parseCommandLine(args.split(' '));
      if (scenario !== undefined) {
        expect(SCENARIOS.map(({ name }) => name)).toContain(scenario);
      }
    }
  });
});
