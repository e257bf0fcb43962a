import type { LspProcess } from '@temper/parsercraft';
import type { FillableSink } from '../service/full-disk.ts';
import type { FaultSource } from './fault.ts';

/** Time that a new server gets before it is killed too: long enough to answer something. */
const CRASH_INTERVAL_MS = 900;

/** The language server's process is killed, and killed again, for as long as this is on. */
export function lspCrash(process: LspProcess): FaultSource {
  return {
    title: 'Language server crash',
    about: 'The language server’s process is killed by SIGKILL, and again whenever it is back.',
    runbook: 'persistent_errors',
    kind: 'switch',
    begin: async (signal) => {
      process.kill();
      const timer = setInterval(() => process.kill(), CRASH_INTERVAL_MS);
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
