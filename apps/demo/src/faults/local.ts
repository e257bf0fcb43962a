import type { LspProcess } from '@temper/parsercraft';
import type { FillableSink } from '../service/full-disk.ts';
import type { FaultSource } from './fault.ts';

/** How often is looked whether the server is back. */
const LOOK_MS = 60;

/** The language server's process is killed, and killed again, for as long as this is on. */
export function lspCrash(process: LspProcess): FaultSource {
  return {
    title: 'Language server crash',
    about: 'The language server’s process is killed by SIGKILL, and again as soon as it is back.',
    runbook: 'persistent_errors',
    kind: 'switch',
    begin: async (signal) => {
      process.kill();
      let victim = process.pid;
      // One that is back gets one interval: enough to answer something, at times.
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

/** The disk of the audit log takes nothing more. */
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
