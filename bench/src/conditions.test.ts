import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { gitIn, refusal, revision, staleness } from './conditions.ts';

describe('refusal', () => {
  const asked = { short: false, busy: false };

  it('refuses a machine with a load above 1', () => {
    expect(refusal(1.1, asked)).toContain('The load of this machine is 1.1');
    expect(refusal(1, asked)).toBeUndefined();
  });

  it('gives way to --busy and to a short run', () => {
    expect(refusal(9, { short: false, busy: true })).toBeUndefined();
    expect(refusal(9, { short: true, busy: false })).toBeUndefined();
  });
});

describe('the commit of a report', () => {
  let folder: string;
  const source = (): string => join(folder, 'packages/core/src/call.ts');
  const page = (): string =>
    `Measured 2026-11-30 at commit ${revision(gitIn(folder))} on a machine.`;
  const commit = (): void => {
    const who = ['-c', 'user.name=test', '-c', 'user.email=test@localhost'];
    execFileSync('git', ['add', '.'], { cwd: folder });
    execFileSync('git', [...who, 'commit', '--quiet', '--message', 'change'], { cwd: folder });
  };

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'temper-bench-conditions-'));
    mkdirSync(join(folder, 'packages/core/src'), { recursive: true });
    mkdirSync(join(folder, 'bench/src'), { recursive: true });
    execFileSync('git', ['init', '--quiet'], { cwd: folder });
    writeFileSync(source(), 'one');
    commit();
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  it('describes the sources until they change, whether or not the change is committed', () => {
    const before = page();
    const git = gitIn(folder);
    expect(staleness(before, git)).toBeUndefined();
    writeFileSync(join(folder, 'README.md'), 'no source');
    commit();
    expect(staleness(before, git)).toBeUndefined();
    writeFileSync(source(), 'two');
    expect(staleness(before, git)).toMatch(
      /^Sources have changed since it was measured at .*: 1 file\.$/,
    );
    commit();
    expect(staleness(before, git)).toContain('1 file.');
  });

  it('is not enough where the sources differed from it', () => {
    writeFileSync(source(), 'two');
    expect(page()).toContain(' with uncommitted changes on');
    expect(staleness(page(), gitIn(folder))).toContain('with uncommitted changes');
  });

  it('must be there, and be known', () => {
    expect(staleness('Measured 2026-11-30 on a machine.', gitIn(folder))).toContain('does not say');
    expect(staleness('at commit 0123456789ab on', gitIn(folder))).toContain('does not have');
  });
});
