import { spawn } from 'node:child_process';
import { accessSync, constants, existsSync, mkdirSync, rmdirSync, writeFileSync } from 'node:fs';
import { afterEach, expect, it } from 'vitest';

/** Where this user may create a memory cgroup, and the name of its limit. */
const [mount, limitFile] = existsSync('/sys/fs/cgroup/memory')
  ? ['/sys/fs/cgroup/memory', 'memory.limit_in_bytes']
  : ['/sys/fs/cgroup', 'memory.max'];
const group = `${mount}/temper-health-test-${process.pid}`;

/** Containers often mount cgroups read-only: nothing can be limited there. */
function mayLimit(): boolean {
  try {
    accessSync(mount, constants.W_OK);
    mkdirSync(group);
    writeFileSync(`${group}/${limitFile}`, String(LIMIT));
    return true;
  } catch {
    return false;
  }
}

const LIMIT = 200 * 2 ** 20;
const limited = mayLimit();
afterEach(async () => {
  // The kernel refuses while a process is in it that is not quite gone.
  for (let i = 0; limited && i < 50 && existsSync(group); i++) {
    try {
      rmdirSync(group);
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
});

function inGroup(source: string): { readonly lines: () => string[]; readonly kill: () => void } {
  const join = `import { writeFileSync } from 'node:fs'; writeFileSync('${group}/cgroup.procs', String(process.pid));`;
  const child = spawn(process.execPath, ['--input-type=module', '--eval', join + source], {
    cwd: new URL('../..', import.meta.url),
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let out = '';
  child.stdout.on('data', (text) => (out += text));
  return { lines: () => out.trim().split('\n').filter(Boolean), kill: () => child.kill('SIGKILL') };
}

it.runIf(limited)('sees what other processes of the cgroup use', async () => {
  const observer = inGroup(`
    import { memoryCheck } from '@temper/health/checks';
    setInterval(async () => console.log((await memoryCheck().check({})).status), 100);`);
  while (observer.lines().length < 3) await new Promise((resolve) => setTimeout(resolve, 50));
  expect(observer.lines().at(-1)).toBe('healthy');

  const hog = inGroup(`
    import { readFileSync } from 'node:fs';
    const held = [];
    const usage = () => Number(readFileSync(${JSON.stringify(
      `${group}/${limitFile === 'memory.max' ? 'memory.current' : 'memory.usage_in_bytes'}`,
    )}, 'utf8'));
    const timer = setInterval(() => {
      if (usage() < ${0.97 * LIMIT}) held.push(Buffer.alloc(2 ** 20, 1));
    }, 5);`);
  while (observer.lines().at(-1) !== 'unhealthy') {
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  hog.kill();
  while (observer.lines().at(-1) !== 'healthy') {
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  observer.kill();
});
