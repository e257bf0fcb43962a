import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { takeDataDir } from './data-dir.ts';

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), 'data-dir-'));
  onTestFinished(() => rmSync(path, { recursive: true, force: true }));
  return join(path, 'data');
}

it('services beside each other have data folders of their own, and the next has one that is free', () => {
  const usual = folder();
  const first = takeDataDir(undefined, usual);
  using second = takeDataDir(undefined, usual);
  using third = takeDataDir(undefined, usual);
  expect([first.path, first.insteadOf]).toEqual([usual, undefined]);
  expect([second.path, second.insteadOf]).toEqual([`${usual}-2`, usual]);
  expect(third.path).toBe(`${usual}-3`);
  expect(existsSync(third.path)).toBe(true);
  first[Symbol.dispose]();
  using fourth = takeDataDir(undefined, usual);
  expect(fourth.path).toBe(usual);
});

it('a folder that was chosen is taken, or the service says that another one has it', () => {
  const chosen = folder();
  using taken = takeDataDir(chosen);
  expect(taken.path).toBe(chosen);
  expect(() => takeDataDir(chosen)).toThrow(
    `The data directory ${chosen} is in use by another service; choose --data-dir.`,
  );
});
