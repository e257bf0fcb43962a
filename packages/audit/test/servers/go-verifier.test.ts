import { execFile, execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { generateSigningKey, noteSigner } from '../../src/chain/signing-key.ts';
import { auditLog } from '../../src/log/durable-log.ts';
import { type BundleOptions, evidenceBundle } from '../../src/read/evidence/evidence-bundle.ts';
import { proveConsistency, proveInclusion } from '../../src/read/proofs.ts';
import { fileSink } from '../../src/sinks/file/file-sink.ts';
import { temporaryDirectory } from '../temporary-directory.ts';

/** Go, if it is installed. Its module proxy gives it the libraries of the program. */
const GO = process.env.GO ?? 'go';
const PROGRAM = fileURLToPath(new URL('../programs/go-verify', import.meta.url));
const key = generateSigningKey('example.com/audit');

const hasGo = (() => {
  try {
    execFileSync(GO, ['version']);
    return true;
  } catch {
    return false;
  }
})();

describe.runIf(hasGo)('a verifier in Go with the libraries of others', () => {
  it('agrees on hashes, chain, root, signature and proofs', { timeout: 240_000 }, async () => {
    using directory = temporaryDirectory();
    const binary = join(directory.path, 'verify');
    await promisify(execFile)(GO, ['build', '-o', binary, '.'], { cwd: PROGRAM });
    const log = auditLog({
      sinks: [fileSink({ directory: join(directory.path, 'log') })],
      checkpoints: { signer: noteSigner(key.secretKey) },
    });
    const texts = ['plain', 'ünïcode \u2028 "quoted" <&>', '\u0000\ud800', '𝒳'];
    for (let i = 0; i < 21; i++) {
      const text = texts[i % texts.length] as string;
      await log.append({
        eventType: 'o',
        action: `step ${i}`,
        resource: text,
        status: 's',
        details: {
          [text]: 1e21 / 3,
          n: -0,
          hash: 'a'.repeat(64),
          list: [null, true, { b: 1, a: 2 }],
        },
        ...(i % 5 === 0 ? { error: new TypeError(text) } : {}),
      });
    }
    const { note, body } = await log.checkpoint();
    const lines: string[] = [];
    for await (const batch of log.source.read({})) lines.push(...batch);
    const verify = (change: object = {}): string => {
      const input = {
        verifierKey: key.verifierKey,
        note,
        lines,
        inclusion,
        consistency,
        ...change,
      };
      return execFileSync(binary, { input: JSON.stringify(input), stdio: 'pipe' }).toString();
    };
    let inclusion = await proveInclusion(log.source, 1, body.size);
    const consistency = await proveConsistency(log.source, 13, body.size);
    for (const sequence of [1, 7, 16, 21]) {
      inclusion = await proveInclusion(log.source, sequence, body.size);
      expect(verify()).toBe(`21 events, root ${Buffer.from(body.root).toString('base64')}\n`);
    }
    const edited = lines.with(4, (lines[4] as string).replace('step 4', 'step 5'));
    expect(() => verify({ lines: edited })).toThrow('event 5 does not match its hash');
    expect(() => verify({ lines: lines.toSpliced(4, 1) })).toThrow('does not continue the chain');
    expect(() => verify({ lines: lines.slice(0, -1) })).toThrow('not of these events');
    expect(() => verify({ note: note.replace('\n21\n', '\n20\n') })).toThrow('invalid signature');
    expect(() => verify({ inclusion: { ...inclusion, sequence: 20 } })).toThrow('wrong proof size');
    expect(() => verify({ consistency: { ...consistency, from: 12 } })).toThrow();
    const bundled = async (options: BundleOptions, key: string): Promise<string> => {
      const path = join(directory.path, 'evidence.tgz');
      const chunks: Uint8Array[] = [];
      for await (const chunk of evidenceBundle(log.source, options)) chunks.push(chunk);
      writeFileSync(path, Buffer.concat(chunks));
      return execFileSync(binary, [path, key], { stdio: 'pipe' }).toString();
    };
    await log.append({ eventType: 'o', action: 'last', resource: 'r', status: 's' });
    await log.checkpoint();
    for (const [from, to] of [
      [1, 22],
      [1, 1],
      [7, 13],
      [22, 22],
    ] as const) {
      const answer = await bundled({ from, to, checkpoints: [note] }, key.verifierKey);
      expect(answer).toBe(`${from} to ${to}, 2 checkpoints\n`);
    }
    const stranger = generateSigningKey('example.com/audit').verifierKey;
    await expect(bundled({ from: 7, to: 13 }, stranger)).rejects.toThrow(
      'no verifiable signatures',
    );
    await log.close();
  });
});
