import { type ChildProcess, execFile, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { seededRandom } from '@temper/testkit';
import { describe, expect, it } from 'vitest';
import { openCheckpoint } from '../../src/chain/checkpoint.ts';
import { consistencyRanges, RangeHasher } from '../../src/chain/merkle-proof.ts';
import { noteVerifier } from '../../src/chain/signing-key.ts';
import { httpWitness } from '../../src/witness/http-witness.ts';
import { temporaryDirectory } from '../temporary-directory.ts';
import { checkpointOf, leaf, logKey, treeOf, witnessKey } from '../witnessed.ts';

/** Go, if it is installed. */
const GO = process.env.GO ?? 'go';
const MAIN = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));
const PROGRAM = fileURLToPath(new URL('../programs/go-note/main.go', import.meta.url));

interface Running {
  readonly child: ChildProcess;
  readonly url: string;
  readonly key: string;
}

async function start(directory: string): Promise<Running> {
  const child = spawn(
    process.execPath,
    [
      '--no-warnings',
      MAIN,
      'witness',
      directory,
      '--log',
      logKey.verifierKey,
      '--listen',
      '127.0.0.1:0',
    ],
    {
      env: { ...process.env, TEMPER_AUDIT_KEY: witnessKey.secretKey },
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  );
  let key = '';
  for await (const line of createInterface({ input: child.stdout as NodeJS.ReadableStream })) {
    if (line.startsWith('verifier key: ')) key = line.slice('verifier key: '.length);
    const url = /^listening on (.*)$/.exec(line)?.[1];
    if (url !== undefined) return { child, url, key };
  }
  throw new Error('The witness ended before it listened.');
}

async function end({ child }: Running, signal: NodeJS.Signals): Promise<number | null> {
  const ended = once(child, 'exit');
  child.kill(signal);
  return ((await ended) as [number | null])[0];
}

const prove = (to: number) => async (from: number) => {
  const hasher = new RangeHasher(consistencyRanges(from, to));
  for (let i = 0; i < to; i++) hasher.append(leaf(i));
  return hasher.roots();
};

describe('temper-audit witness', () => {
  it('ends on SIGINT with 130 and can be started again', async () => {
    using directory = temporaryDirectory();
    for (let i = 0; i < 2; i++) expect(await end(await start(directory.path), 'SIGINT')).toBe(130);
  });

  it('never forgets a checkpoint that it has cosigned, whenever it is killed', {
    timeout: 240_000,
  }, async () => {
    using directory = temporaryDirectory();
    const random = seededRandom(18);
    let cosigned = 0;
    let size = 0;
    for (let kill = 0; kill < 25; kill++) {
      const running = await start(directory.path);
      const witness = httpWitness({ url: running.url, key: running.key });
      const held = await witness.last('example.com/log');
      const stored =
        held === undefined ? 0 : openCheckpoint(held, [noteVerifier(logKey.verifierKey)]).size;
      expect(stored, `after kill ${kill}`).toBeGreaterThanOrEqual(cosigned);
      const dead = new Promise<void>((resolve) => {
        setTimeout(() => resolve(end(running, 'SIGKILL').then(() => undefined)), random() * 60);
      });
      try {
        for (;;) {
          size = Math.max(size, stored) + 1;
          await witness.cosign(await checkpointOf(treeOf(size)), prove(size));
          cosigned = size;
        }
      } catch (error) {
        expect(error).toMatchObject({ reason: 'unavailable' });
      }
      await dead;
    }
    expect(cosigned).toBeGreaterThan(25);
  });
});

const hasGo = (() => {
  try {
    execFileSync(GO, ['version']);
    return true;
  } catch {
    return false;
  }
})();

describe.runIf(hasGo)("Go's note package", () => {
  it('opens a cosigned checkpoint, and none that was changed', { timeout: 240_000 }, async () => {
    using directory = temporaryDirectory();
    const root = execFileSync(GO, ['env', 'GOROOT']).toString().trim();
    const note = join(root, 'src/cmd/vendor/golang.org/x/mod/sumdb/note/note.go');
    expect(existsSync(note)).toBe(true);
    mkdirSync(join(directory.path, 'note'));
    copyFileSync(note, join(directory.path, 'note/note.go'));
    copyFileSync(PROGRAM, join(directory.path, 'main.go'));
    writeFileSync(join(directory.path, 'go.mod'), 'module check\n\ngo 1.21\n');
    const binary = join(directory.path, 'check');
    await promisify(execFile)(GO, ['build', '-o', binary, '.'], { cwd: directory.path });

    const state = join(directory.path, 'state');
    const running = await start(state);
    const checkpoint = await checkpointOf(treeOf(7));
    const witness = httpWitness({ url: running.url, key: running.key });
    const { line } = await witness.cosign(checkpoint, prove(7));
    await end(running, 'SIGINT');
    const verify = (text: string): string =>
      execFileSync(binary, [logKey.verifierKey, running.key], { input: text }).toString();
    const cosigned = `${checkpoint}${line}\n`;
    expect(verify(cosigned)).toBe('example.com/log\nwitness.example/w1\n');
    expect(verify(checkpoint)).toBe('example.com/log\n');
    expect(() => verify(cosigned.replace('\n7\n', '\n8\n'))).toThrow('invalid signature');
    const other = `${await checkpointOf(treeOf(8))}${line}\n`;
    expect(() => verify(other)).toThrow('invalid signature');
  });
});
