import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { expect } from 'vitest';

/** Runs a program that prints each problem it finds, expects none, and returns what it has printed. */
export async function expectNoProblems(program: URL, args: readonly string[]): Promise<string> {
  const child = spawn(process.execPath, ['--expose-gc', fileURLToPath(program), ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let printed = '';
  child.stdout.on('data', (chunk) => {
    printed += String(chunk);
  });
  const [code] = await once(child, 'close');
  const problems = printed.split('\n').filter((line) => line.startsWith('PROBLEM'));
  expect({ code, problems }).toEqual({ code: 0, problems: [] });
  return printed;
}
