import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { command } from './command.ts';
import {
  getRunbook,
  guideMarkdown,
  listRunbooks,
  runbookForAlert,
  runbookMarkdown,
} from './index.ts';

const IDS = [
  'high_memory_usage',
  'slow_response',
  'event_loop_stall',
  'circuit_breaker_open',
  'rate_limit_exceeded',
  'store_unreachable',
  'persistent_errors',
  'unhealthy_check',
  'audit_loss',
  'hung_shutdown',
  'target_absent',
];
const cli = fileURLToPath(new URL('../dist/cli.js', import.meta.url));

describe('the catalog', () => {
  it('listRunbooks returns the runbooks in order', () => {
    expect(listRunbooks()).toEqual(IDS);
  });

  it.each(IDS)('runbook %s has non-empty sections', (id) => {
    const runbook = getRunbook(id);
    expect(runbook?.id).toBe(id);
    for (const part of ['symptoms', 'rootCauses', 'steps', 'prevention', 'alerts'] as const) {
      expect(runbook?.[part].length, part).toBeGreaterThan(0);
    }
  });

  it.each(IDS)('runbook %s has commands with their outputs, and one that shows the cause', (id) => {
    const steps = getRunbook(id)?.steps ?? [];
    for (const { action, run, good } of steps) {
      expect(run === undefined, action).toBe(good === undefined);
    }
    expect(steps.filter(({ bad }) => bad !== undefined).length).toBeGreaterThan(0);
    expect(getRunbook(id)?.setup).toContain('SERVICE=');
  });

  it('getRunbook returns undefined for an unknown id', () => {
    expect(getRunbook('nonexistent')).toBeUndefined();
    expect(getRunbook('toString')).toBeUndefined();
  });

  it('each alert belongs to exactly one runbook', () => {
    const alerts = IDS.flatMap((id) => getRunbook(id)?.alerts ?? []);
    expect(new Set(alerts).size).toBe(alerts.length);
    for (const alert of alerts) expect(runbookForAlert(alert)?.alerts).toContain(alert);
    expect(runbookForAlert('NoSuchAlert')).toBeUndefined();
  });
});

describe('as Markdown', () => {
  it.each(IDS)('the Markdown of %s has numbered steps and every section', (id) => {
    const runbook = getRunbook(id);
    if (runbook === undefined) throw new Error(`no runbook ${id}`);
    const page = runbookMarkdown(runbook);
    runbook.steps.forEach((step, index) => {
      expect(page).toContain(`${index + 1}. ${step.action}.`);
    });
    for (const { run, good, bad } of runbook.steps) {
      for (const text of [run, good, bad]) {
        if (text !== undefined) expect(page.replace(/^ {3}/gm, '')).toContain(`\n${text}\n`);
      }
    }
    expect(page).toContain(runbook.setup);
    for (const heading of [
      '## Symptoms',
      '## Root causes',
      '## Setup',
      '## Steps',
      '## Prevention',
    ]) {
      expect(page).toContain(`\n${heading}\n`);
    }
  });

  it('the guide has a heading per runbook', () => {
    const guide = guideMarkdown();
    expect(guide).toMatch(/^# Operations guide\n/);
    for (const id of IDS) expect(guide).toContain(`\n## ${id.toUpperCase()}\n`);
    expect(guide).toContain('\n### Steps\n');
  });

  it('the README lists every runbook', () => {
    const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');
    for (const id of IDS) expect(readme).toContain(`\`${id}\``);
  });
});

describe('the command', () => {
  it('the command lists, shows and prints runbooks', () => {
    expect(command(['list']).out.trim().split('\n')).toHaveLength(IDS.length);
    expect(command(['show', 'slow_response']).out).toContain('# Slow response');
    expect(command(['print']).out).toBe(guideMarkdown());
    expect(command([]).out).toContain('Usage:');
  });

  it.each([[['show']], [['show', 'nonexistent']], [['frobnicate']], [['list', 'extra']]])(
    'the command rejects %j with exit code 2 and a message',
    (args) => {
      const { code, out, err } = command(args);
      expect(code).toBe(2);
      expect(out).toBe('');
      expect(err).toMatch(/temper-runbooks: /);
    },
  );

  it('the command runs as a program', () => {
    expect(execFileSync(process.execPath, [cli, 'list'], { encoding: 'utf8' })).toContain(IDS[0]);
    expect(spawnSync(process.execPath, [cli, 'show', 'nothing']).status).toBe(2);
  });
});
