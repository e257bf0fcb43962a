import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** How a process ended. */
export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Options of {@link Fixture}. */
export interface FixtureOptions {
  /** Whether it leads a process group of its own. */
  readonly detached?: boolean;
  /** Whether it has a channel to this process. */
  readonly ipc?: boolean;
  /** Flags of Node. */
  readonly flags?: readonly string[];
}

/** A fixture in its own process. */
export class Fixture {
  readonly child: ChildProcess;
  readonly ended: Promise<Ended>;
  stdout = '';
  stderr = '';
  readonly #waiting: { pattern: RegExp; resolve: (match: RegExpExecArray) => void }[] = [];

  constructor(
    name: string,
    env: Readonly<Record<string, string>> = {},
    { detached = false, ipc = false, flags = [] }: FixtureOptions = {},
  ) {
    const path = fileURLToPath(new URL(`fixtures/${name}.ts`, import.meta.url));
    this.child = spawn(
      process.execPath,
      [...flags, '--experimental-strip-types', '--disable-warning=ExperimentalWarning', path],
      {
        // The runner's own value would say nothing about the fixture.
        env: { ...process.env, NODE_ENV: 'production', ...env },
        stdio: ['ignore', 'pipe', 'pipe', ...(ipc ? (['ipc'] as const) : [])],
        detached,
      },
    );
    this.child.stdout?.on('data', (data) => {
      this.stdout += data;
      this.#look();
    });
    this.child.stderr?.on('data', (data) => {
      this.stderr += data;
    });
    this.ended = new Promise((resolve) => {
      this.child.on('close', (code, signal) => {
        const { stdout, stderr } = this;
        resolve({ code, signal, stdout, stderr });
      });
    });
  }

  get pid(): number {
    return this.child.pid as number;
  }

  /** Resolves with the first output of the fixture; rejects if it ends without any. */
  async said(pattern: RegExp): Promise<RegExpExecArray> {
    const found = new Promise<RegExpExecArray>((resolve) => {
      this.#waiting.push({ pattern, resolve });
      this.#look();
    });
    const match = await Promise.race([found, this.ended]);
    if (Array.isArray(match)) return match;
    throw new Error(`It ended without saying ${pattern}: ${JSON.stringify(match)}`);
  }

  /** The port that the fixture prints. */
  async port(): Promise<number> {
    return Number((await this.said(/listening (\d+)/))[1]);
  }

  /** The report that the fixture prints at its end. */
  async report(): Promise<Record<string, unknown>> {
    const { stdout } = await this.ended;
    const line = stdout.split('\n').find((text) => text.startsWith('{'));
    return JSON.parse(line ?? '{}') as Record<string, unknown>;
  }

  kill(signal: NodeJS.Signals = 'SIGTERM'): void {
    this.child.kill(signal);
  }

  #look(): void {
    for (const waiting of [...this.#waiting]) {
      const match = waiting.pattern.exec(this.stdout);
      if (match === null) continue;
      this.#waiting.splice(this.#waiting.indexOf(waiting), 1);
      waiting.resolve(match);
    }
  }
}
