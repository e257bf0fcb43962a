import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { RuleKind } from '@temper/ratelimit/shared';
import type { ClientKind } from '../clients.ts';

/** A limit of a deploy. */
export interface DeployLimit {
  readonly name: string;
  readonly algorithm: RuleKind;
  readonly mode: 'exact' | 'leased';
  readonly rule: { readonly limit: number; readonly windowMs: number; readonly burst?: number };
}

/** What a process of a deploy does. */
export interface DeployOrders {
  readonly process: number;
  readonly kind: ClientKind;
  readonly ports: readonly number[];
  readonly limits: readonly DeployLimit[];
  /** The keys that all processes ask about, each with the name of its limit. */
  readonly keys: readonly (readonly [name: string, key: string])[];
  readonly everyMs: number;
}

/**
 * What it reports, with times in milliseconds since the epoch: each call for a busy key, `passed` or `held`
 * back, each call `refused` that should pass, and errors.
 */
export interface DeployReport {
  readonly kind: 'ready' | 'passed' | 'held' | 'refused' | 'error';
  readonly name: string;
  readonly key: string;
  readonly sent: number;
  readonly at: number;
}

/** The processes of a deploy. */
export class DeployFleet {
  readonly reports: DeployReport[] = [];
  readonly #workers: ChildProcess[] = [];

  /** Starts a process, in place of the one of this number. @returns when it takes calls */
  async start(orders: DeployOrders): Promise<void> {
    const worker = fork(join(import.meta.dirname, 'deploy-worker.ts'), [JSON.stringify(orders)], {
      execArgv: ['--disable-warning=ExperimentalWarning'],
    });
    this.#workers[orders.process] = worker;
    worker.on('message', (report) => this.reports.push(report as DeployReport));
    const exit = once(worker, 'exit').then(([code]) => {
      throw new Error(`A worker exited with ${code}.`);
    });
    exit.catch(() => undefined);
    await Promise.race([once(worker, 'message'), exit]);
  }

  /** Kills a process without notice. What it has reported is kept. */
  async kill(process: number): Promise<void> {
    const worker = this.#workers[process]!;
    if (worker.exitCode !== null || worker.signalCode !== null) return;
    const closed = once(worker, 'close');
    worker.kill('SIGKILL');
    await closed;
  }

  async stop(): Promise<void> {
    await Promise.all(this.#workers.map((_, process) => this.kill(process)));
  }
}
