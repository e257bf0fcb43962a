import { readFile } from 'node:fs/promises';
import { verifyLog } from '../read/verify.ts';
import type { VerifyReport } from '../read/verify-report.ts';
import type { AuditSource } from '../sinks/sink.ts';
import { asUsageError, EXIT, type ExitCode, UnreadableError } from './exit-codes.ts';
import type { Values } from './filters.ts';
import { printable } from './format-event.ts';
import { type Io, styler, verbatim } from './io.ts';
import { Progress } from './progress.ts';
import { lastSequence } from './tail-command.ts';

/** `verify`: verifies the hash chain and the checkpoints of the whole log. */
export async function verifyCommand(
  source: AuditSource,
  location: string,
  values: Values,
  io: Io,
): Promise<ExitCode> {
  const keys = [...((values.key as string[]) ?? [])];
  for (const path of (values['key-file'] as string[]) ?? []) keys.push((await textOf(path)).trim());
  const checkpoints: string[] = [];
  for (const path of (values.checkpoint as string[]) ?? []) checkpoints.push(await textOf(path));
  const progress = new Progress(io, await lastSequence(source));
  let report: VerifyReport;
  try {
    report = await verifyLog(source, {
      ...(keys.length > 0 ? { keys } : {}),
      checkpoints,
      signal: io.signal,
      onProgress: (events) => progress.update(events),
    });
  } catch (error) {
    throw asUsageError(error);
  } finally {
    progress.end();
  }
  await io.stdout.write(
    values.json === true
      ? verbatim(io.stdout, `${JSON.stringify(report)}\n`)
      : describe(report, location, keys.length > 0, io),
  );
  return report.ok ? EXIT.ok : EXIT.invalidLog;
}

async function textOf(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    throw new UnreadableError(`${path} cannot be read: ${(error as Error).message}.`);
  }
}

function describe(report: VerifyReport, location: string, keyed: boolean, io: Io): string {
  const style = styler(io.stdout, io.env);
  const { problem, events, first, last, checkpoints, anchor } = report;
  const log = printable(location); // a URL may have a password
  const lines: string[] = [];
  const count = events.toLocaleString('en');
  if (problem === undefined) {
    const range = events === 0 ? 'no events' : `${count} events, ${first} to ${last}`;
    lines.push(`${style('green', 'valid')}  ${log}: ${range}`);
  } else {
    const { kind, sequence, message } = problem;
    lines.push(`${style('red', kind)}  ${log}, at event ${sequence}: ${printable(message)}`);
    lines.push(`  ${count} events before it are valid`);
  }
  if (anchor !== undefined)
    lines.push(`  events up to ${anchor.sequence} were removed by retention`);
  lines.push(`  ${coverage(checkpoints, last, keyed)}`);
  return `${lines.join('\n')}\n`;
}

function coverage(
  { checked, trusted, covered, tooOld }: VerifyReport['checkpoints'],
  last: number,
  keyed: boolean,
): string {
  if (checked === 0) return 'no checkpoints: only the hash chain was verified';
  const old = tooOld > 0 ? `, ${tooOld} older than the first event` : '';
  if (trusted === 0) {
    const why = keyed ? 'none is signed by a given key' : 'signatures were not verified (no --key)';
    return `${checked} checkpoints match${old}; ${why}`;
  }
  const rest = last > covered ? `; ${last - covered} later events have no checkpoint` : '';
  return `${trusted} trusted checkpoints match${old}, the last covers ${covered} events${rest}`;
}
