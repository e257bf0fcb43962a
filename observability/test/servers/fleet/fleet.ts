import { type ChildProcess, spawn } from 'node:child_process';
import { renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { freePort } from '../programs.ts';
import type { Kind } from './kinds.ts';

const MEMBER = fileURLToPath(new URL('./member.ts', import.meta.url));

/** One process of a service. */
export class Member {
  readonly kind: Kind;
  readonly port: number;
  readonly #env: NodeJS.ProcessEnv;
  #child: ChildProcess | undefined;
  #output = '';

  private constructor(kind: Kind, port: number, env: NodeJS.ProcessEnv) {
    this.kind = kind;
    this.port = port;
    this.#env = env;
  }

  static async of(kind: Kind, env: NodeJS.ProcessEnv): Promise<Member> {
    return new Member(kind, await freePort(), env);
  }

  /** Resolves when it serves its metrics. */
  async start(): Promise<void> {
    const child = spawn(process.execPath, [MEMBER, this.kind, String(this.port)], {
      env: this.#env,
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    });
    for (const stream of [child.stdout, child.stderr]) {
      stream?.on('data', (chunk: Buffer) => {
        this.#output = (this.#output + chunk).slice(-20_000);
      });
    }
    this.#child = child;
    await this.#answer('started');
  }

  /** Begins or ends the fault. */
  async say(what: 'fault' | 'calm'): Promise<void> {
    const done = this.#answer(what);
    this.#child?.send(what);
    await done;
  }

  /** Its metrics in the text format. */
  async metrics(): Promise<string> {
    return (await fetch(`http://127.0.0.1:${this.port}/metrics`)).text();
  }

  async kill(): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const exited = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await exited;
  }

  #answer(wanted: string): Promise<void> {
    const child = this.#child;
    return new Promise((resolve, reject) => {
      const told = ({ done, failed }: { done?: string; failed?: string }): void => {
        if (done !== wanted && failed === undefined) return;
        settle();
        if (failed === undefined) resolve();
        else reject(new Error(`${this.kind}: ${failed}`));
      };
      const exited = (): void => {
        settle();
        reject(new Error(`${this.kind} ended before '${wanted}':\n${this.#output}`));
      };
      const settle = (): void => {
        child?.off('message', told).off('exit', exited);
      };
      child?.on('message', told).on('exit', exited);
    });
  }
}

/** The targets that a service discovery has found. */
export class Targets {
  readonly path: string;
  readonly #jobs = new Map<string, readonly Member[]>();

  constructor(folder: string) {
    this.path = join(folder, 'targets.json');
    this.set('none', []);
  }

  /** Changes the instances of a service. */
  set(job: string, members: readonly Member[]): void {
    this.#jobs.set(job, members);
    const groups = [...this.#jobs].map(([name, found]) => ({
      targets: found.map(({ port }) => `127.0.0.1:${port}`),
      labels: { job: name },
    }));
    // Prometheus never sees half of a file.
    writeFileSync(`${this.path}.new`, JSON.stringify(groups));
    renameSync(`${this.path}.new`, this.path);
  }
}
