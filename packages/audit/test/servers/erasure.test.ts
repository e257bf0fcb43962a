import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { seededRandom } from '@temper/testkit';
import { expect, it } from 'vitest';
import { fileKeyStore } from '../../src/erasure/file-key-store.ts';
import { subjectKeys } from '../../src/erasure/subject-keys.ts';
import { temporaryDirectory } from '../temporary-directory.ts';

const PROGRAM = fileURLToPath(new URL('../programs/forgetter.mjs', import.meta.url));

it('a killed process leaves every forgotten subject forgotten, and every other one readable', async () => {
  using directory = temporaryDirectory();
  const random = seededRandom(17);
  const sealed = new Map<string, string>();
  const forgotten = new Set<string>();
  for (let kill = 0; kill < 20; kill++) {
    const child = spawn(process.execPath, ['--no-warnings', PROGRAM, directory.path, `k${kill}`], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let out = '';
    child.stdout.on('data', (data) => {
      if (out === '') setTimeout(() => child.kill('SIGKILL'), random() * 60);
      out += data;
    });
    await once(child, 'close');
    for (const line of out.split('\n').slice(0, -1)) {
      const [what, subject = '', text = ''] = line.split(' ');
      if (what === 'sealed') sealed.set(subject, text);
      else forgotten.add(subject);
    }
    await using store = fileKeyStore({ directory: directory.path });
    const keys = subjectKeys({ store });
    const last = [...sealed.keys()].at(-1);
    for (const [subject, text] of sealed) {
      const opened = await keys.open(text);
      if (forgotten.has(subject)) expect([subject, opened]).toEqual([subject, undefined]);
      // The last one may have been about to be forgotten.
      else if (subject !== last && Number(subject.split('-')[1]) % 3 === 2) {
        expect([subject, opened]).toEqual([subject, subject]);
      }
    }
  }
  expect(forgotten.size).toBeGreaterThan(20);
});
