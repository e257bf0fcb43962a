import { Worker } from 'node:worker_threads';

/** Interval in which the parent is looked for, in milliseconds. */
const LOOK_MS = 500;

/** The program of the thread. A process without its parent gets another one. */
const LOOK = `
const { workerData } = require('node:worker_threads');
setInterval(() => {
  if (process.ppid !== workerData.parent) process.kill(process.pid, 'SIGKILL');
}, workerData.everyMs);
`;

/**
 * Ends this process when its parent has ended without ending it, as on SIGKILL. The `disconnect` event
 * tells the event loop of that, which a job may occupy; this is a thread of its own.
 */
export function endWithParent(): void {
  const workerData = { parent: process.ppid, everyMs: LOOK_MS };
  // No heap to speak of: a limit for it, so that it is not as large as that of the jobs.
  const resourceLimits = { maxOldGenerationSizeMb: 8, maxYoungGenerationSizeMb: 1 };
  const thread = new Worker(LOOK, { eval: true, workerData, resourceLimits });
  thread.unref();
}
