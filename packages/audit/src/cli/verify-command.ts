import { AuditCorruptError } from '../errors.ts';
import { verifyLog } from '../read/verify.ts';
import type { VerifyReport } from '../read/verify-report.ts';
import type { AuditSource } from '../sinks/sink.ts';
import { asUsageError, EXIT, type ExitCode } from './exit-codes.ts';
import { numberFrom, type Values } from './filters.ts';
import { printable } from './format-event.ts';
import { type Io, styler, verbatim } from './io.ts';
import { Progress } from './progress.ts';
import { lastSequence } from './tail-command.ts';
import { textOf } from './text-of.ts';
import { askWitnesses, describeHeld } from './witnesses.ts';

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
  const held = await askWitnesses(keys, values);
  checkpoints.push(...(held?.checkpoints ?? []));
  const progress = new Progress(io, await lastSequence(source).catch(unlessDamaged));
  let report: VerifyReport;
  try {
    report = await verifyLog(source, {
      ...(keys.length > 0 ? { keys } : {}),
      checkpoints,
      ...(values.origin === undefined ? {} : { origin: values.origin as string }),
      ...(values.log === undefined ? {} : { log: values.log as string }),
      ...(values.size === undefined ? {} : { size: numberFrom('size', values.size as string) }),
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
  if (held !== undefined) {
    await (values.json === true ? io.stderr : io.stdout).write(describeHeld(held));
    if (held.witnessed === undefined) return EXIT.invalidLog;
  }
  if (report.verdict === 'unproven') return EXIT.unproven;
  return report.ok ? EXIT.ok : EXIT.invalidLog;
}

/** The damage of a log is for the report. */
function unlessDamaged(error: unknown): number {
  if (error instanceof AuditCorruptError) return 0;
  throw error;
}

/** The report for people. */
export function describe(
  report: VerifyReport,
  location: string,
  keyed: boolean,
  io: Io,
  part = false,
): string {
  const style = styler(io.stdout, io.env);
  const { problem, events, first, last, checkpoints, anchor } = report;
  const log = printable(location); // a URL may have a password
  const lines: string[] = [];
  const count = events.toLocaleString('en');
  if (problem === undefined) {
    const range = events === 0 ? 'no events' : `${count} events, ${first} to ${last}`;
    const verdict = report.ok ? style('green', 'valid') : style('yellow', 'unproven');
    lines.push(`${verdict}  ${log}: ${range}`);
  } else {
    const { kind, sequence, message } = problem;
    lines.push(`${style('red', kind)}  ${log}, at event ${sequence}: ${printable(message)}`);
    lines.push(`  ${count} events before it are valid`);
  }
  if (anchor !== undefined)
    lines.push(
      `  events up to ${anchor.sequence} ${part ? 'are not in the bundle' : 'were removed by retention'}`,
    );
  lines.push(`  ${coverage(checkpoints, last, keyed)}`);
  for (const sentence of report.notShown) lines.push(`  not shown: ${sentence}`);
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
