import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { seededRandom } from '@temper/testkit';
import { describe, expect, it } from 'vitest';
import { parseLine } from '../../src/chain/hash-chain.ts';
import { verifyLog } from '../../src/read/verify.ts';
import { FileSource } from '../../src/sinks/file/file-source.ts';
import { temporaryDirectory } from '../temporary-directory.ts';

const CLIENTS = 3;
const ROUNDS = 8;
/** Acknowledgements of a round before the next kill. */
const MOST_ANSWERS = 60;
const LONGEST_ROUND_MS = 15_000;

/** A program that can be killed and started again. */
class Program {
  readonly #file: string;
  readonly #options: object;
  readonly #line: (line: string) => void;
  #child: ChildProcess | undefined;
  error = '';

  constructor(file: string, options: object, line: (line: string) => void) {
    this.#file = fileURLToPath(new URL(`../programs/${file}`, import.meta.url));
    this.#options = options;
    this.#line = line;
    this.start();
  }

  start(): void {
    const child = spawn(
      process.execPath,
      ['--no-warnings', this.#file, JSON.stringify(this.#options)],
      { stdio: ['ignore', 'pipe', 'pipe'] },
    );
    let rest = '';
    child.stdout.on('data', (data: Buffer) => {
      const lines = (rest + data).split('\n');
      // A partly written line is not an acknowledgement.
      rest = lines.pop() as string;
      for (const line of lines) this.#line(line);
    });
    child.stderr.on('data', (data: Buffer) => {
      this.error += data;
    });
    this.#child = child;
  }

  async kill(): Promise<void> {
    const child = this.#child as ChildProcess;
    if (child.exitCode !== null || child.signalCode !== null) return;
    const closed = new Promise((resolve) => child.once('close', resolve));
    child.kill('SIGKILL');
    await closed;
  }
}

describe('clients and the server of a log, killed by SIGKILL at any time', () => {
  it('lose no acknowledged event and store none twice', { timeout: 120_000 }, async () => {
    using directory = temporaryDirectory();
    const seed = Date.now() % 1_000_000;
    const random = seededRandom(seed);
    const acknowledged = new Map<number, string>();
    let refused = 0;
    const log = join(directory.path, 'log');
    const path = join(directory.path, 's');
    const server = new Program('socket-server.mjs', { directory: log, path }, () => undefined);
    const clients = Array.from(
      { length: CLIENTS },
      () =>
        new Program('socket-client.mjs', { path, appenders: 6 }, (line) => {
          const [sequence, hash] = line.split(' ');
          if (hash === undefined) refused++;
          else acknowledged.set(Number(sequence), hash);
        }),
    );
    let serverKills = 0;
    try {
      for (let round = 0; round < ROUNDS; round++) {
        const goal = acknowledged.size + 1 + Math.floor(random() * MOST_ANSWERS);
        const until = Date.now() + LONGEST_ROUND_MS;
        while (acknowledged.size < goal && Date.now() < until) await setTimeout(2);
        expect(acknowledged.size, `${server.error} (seed ${seed})`).toBeGreaterThanOrEqual(goal);
        const victim = random() < 0.6 ? server : clients[Math.floor(random() * CLIENTS)];
        if (victim === server) serverKills++;
        await victim?.kill();
        if (random() < 0.3) await setTimeout(random() * 50);
        victim?.start();
      }
    } finally {
      await Promise.all([server, ...clients].map((program) => program.kill()));
    }
    expect(clients.map(({ error }) => error).join('')).toBe('');
    const source = new FileSource(log);
    const { problem } = await verifyLog(source);
    expect(problem, `seed ${seed}`).toBeUndefined();
    const ids = new Set<string>();
    const actions = new Set<string>();
    let events = 0;
    for await (const lines of source.read({})) {
      for (const line of lines) {
        const { id, sequence, hash, eventType, resource, action } = parseLine(line);
        events++;
        ids.add(id);
        if (eventType === 'kill') actions.add(`${resource} ${action}`);
        const expected = acknowledged.get(sequence);
        if (expected !== undefined) expect(hash, `event ${sequence}, seed ${seed}`).toBe(expected);
        acknowledged.delete(sequence);
      }
    }
    expect([...acknowledged.keys()], `lost, seed ${seed}`).toEqual([]);
    expect(ids.size, `stored twice, seed ${seed}`).toBe(events);
    expect(serverKills).toBeGreaterThan(0);
    console.info(
      `${ROUNDS} kills (${serverKills} of the server), ${events} events, ${actions.size} of clients, ${refused} refused (seed ${seed})`,
    );
  });
});
