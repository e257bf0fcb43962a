import { open, rm } from 'node:fs/promises';
import { AuditCorruptError } from '../errors.ts';
import { evidenceBundle } from '../read/evidence/evidence-bundle.ts';
import { verifyBundle } from '../read/evidence/verify-bundle.ts';
import type { RecordedReads } from '../read/recorded-reads.ts';
import type { AuditSource } from '../sinks/sink.ts';
import { asUsageError, EXIT, type ExitCode, UnreadableError, UsageError } from './exit-codes.ts';
import { numberFrom, type Values } from './filters.ts';
import { printable } from './format-event.ts';
import type { Io } from './io.ts';
import { textOf } from './text-of.ts';
import { askWitnesses } from './witnesses.ts';

/** `bundle`: writes an evidence bundle, and verifies what was written. */
export async function bundleCommand(
  source: AuditSource,
  reads: RecordedReads,
  values: Values,
  io: Io,
): Promise<ExitCode> {
  const out = values.out as string | undefined;
  if (out === undefined) throw new UsageError('bundle requires --out FILE.');
  const text = async (name: string): Promise<string[]> =>
    Promise.all(((values[name] as string[] | undefined) ?? []).map(textOf));
  const keyFiles = (await text('key-file')).map((key) => key.trim());
  const keys = [...((values.key as string[] | undefined) ?? []), ...keyFiles];
  const checkpoints = await text('checkpoint');
  checkpoints.push(...((await askWitnesses(keys, values))?.checkpoints ?? []));
  const number = (name: 'from' | 'to'): { readonly [key: string]: number } =>
    values[name] === undefined ? {} : { [name]: numberFrom(name, values[name] as string) };
  const range = { ...number('from'), ...number('to') };
  const bundle = evidenceBundle(source, {
    ...range,
    keys,
    checkpoints,
    witnessKeys: (values['witness-key'] as string[] | undefined) ?? [],
  });
  const bytes = reads.record('bundle', range, bundle);
  // A file that exists may be evidence.
  const file = await open(out, 'wx', 0o600).catch((error: NodeJS.ErrnoException) => {
    throw new UnreadableError(`${out} cannot be written: ${error.code ?? error.message}.`);
  });
  try {
    for await (const chunk of bytes) {
      io.signal.throwIfAborted();
      await file.writeFile(chunk);
    }
    await file.sync();
  } catch (error) {
    await rm(out, { force: true });
    throw error instanceof AuditCorruptError ? error : asUsageError(error);
  } finally {
    await file.close();
  }
  const {
    problem,
    first,
    last,
    events,
    checkpoints: counts,
  } = await verifyBundle(out, {
    ...(keys.length > 0 ? { keys } : {}),
    signal: io.signal,
    maxBytes: Number.MAX_SAFE_INTEGER,
  });
  const name = printable(out);
  if (problem !== undefined && problem.kind !== 'unsigned') {
    await io.stderr.write(
      `${name} is invalid, because the log is: ${printable(problem.message)}\n`,
    );
    return EXIT.invalidLog;
  }
  const covered = `${counts.checked} checkpoints, of which ${counts.trusted} are signed by a given key`;
  await io.stderr.write(`${name}: ${events} events, ${first} to ${last}, ${covered}\n`);
  if (keys.length > 0 && counts.covered < last) {
    const sentence = `No checkpoint of a given key covers the events after ${counts.covered}: nobody can verify them. Sign one, or give one with --checkpoint.`;
    await io.stderr.write(`${sentence}\n`);
  }
  return EXIT.ok;
}
