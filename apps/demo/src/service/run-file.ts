import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** What an operator needs to reach a running service, for the commands of the runbooks. */
export interface RunFile {
  readonly pid: number;
  /** URL of the service. */
  readonly service: string;
  /** URL of the metrics; undefined when none are served. */
  readonly metrics: string | undefined;
  /** URL of liveness, answered by a thread of its own. */
  readonly liveness: string;
  /** Token of the operator, who is a client of the rate limit of its own. */
  readonly token: string;
  /** Path of the Node that runs the service. */
  readonly node: string;
  /** URL of the shared store; undefined for none. */
  readonly store: string | undefined;
}

/** Writes the file `service.json` in the data directory, readable by its owner only. */
export function writeRunFile(dataDir: string, content: RunFile): void {
  const text = `${JSON.stringify(content, undefined, 2)}\n`;
  writeFileSync(join(dataDir, 'service.json'), text, { mode: 0o600 });
}

/** Writes the report of a shutdown into the data directory, where it outlives the process. */
export function writeShutdownReport(dataDir: string, report: string): void {
  writeFileSync(join(dataDir, 'shutdown.txt'), `${report}\n`, { mode: 0o600 });
}
