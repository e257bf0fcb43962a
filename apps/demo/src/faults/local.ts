import type { LspProcess } from '@temper/parsercraft';
import type { FillableSink } from '../service/full-disk.ts';
import type { FaultSource } from './fault.ts';

/** How often the fault checks whether the server has restarted, in milliseconds. */
const LOOK_MS = 60;

/** Kills the language server's process, and kills it again after each restart. */
export function lspCrash(process: LspProcess): FaultSource {
  return {
    title: 'Language server crash',
    about: 'Kills the language server with SIGKILL, and again after each restart.',
    runbook: 'persistent_errors',
    kind: 'switch',
    begin: async (signal) => {
      process.kill();
      let victim = process.pid;
      // A restarted process lives for one interval, in which it may answer a few requests.
      const timer = setInterval(() => {
        const { pid, state } = process;
        if (state === 'running' && pid === victim) process.kill();
        if (state === 'running') victim = pid;
      }, LOOK_MS);
      signal.addEventListener('abort', () => clearInterval(timer), { once: true });
      return undefined;
    },
  };
}

/** Makes every write of the audit log fail as on a full disk. */
export function auditDiskFull(disk: FillableSink): FaultSource {
  return {
    title: 'Audit disk full',
    about: 'Every write of the audit log fails with ENOSPC.',
    runbook: 'persistent_errors',
    kind: 'switch',
    begin: async () => {
      disk.full = true;
      return undefined;
    },
    end: async () => {
      disk.full = false;
    },
  };
}
