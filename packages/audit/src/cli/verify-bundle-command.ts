import { verifyBundle } from '../read/evidence/verify-bundle.ts';
import { asUsageError, EXIT, type ExitCode, UsageError } from './exit-codes.ts';
import { numberFrom, type Values } from './filters.ts';
import { type Io, verbatim } from './io.ts';
import { textOf } from './text-of.ts';
import { describe } from './verify-command.ts';
import { describeHeld } from './witnesses.ts';

/** `verify` of an evidence bundle: without the log and without a network. */
export async function verifyBundleCommand(
  location: string,
  values: Values,
  io: Io,
): Promise<ExitCode> {
  for (const option of ['size', 'witness', 'writer', 'schema']) {
    if (values[option] === undefined) continue;
    throw new UsageError(`--${option} is for logs, and ${location} is an evidence bundle.`);
  }
  const text = async (name: string): Promise<string[]> =>
    Promise.all(((values[name] as string[] | undefined) ?? []).map(textOf));
  const keyFiles = (await text('key-file')).map((key) => key.trim());
  const keys = [...((values.key as string[] | undefined) ?? []), ...keyFiles];
  const number = (option: string, name: string): { readonly [key: string]: number } =>
    values[option] === undefined ? {} : { [name]: numberFrom(option, values[option] as string) };
  const report = await verifyBundle(location, {
    ...(keys.length > 0 ? { keys } : {}),
    checkpoints: await text('checkpoint'),
    witnessKeys: (values['witness-key'] as string[] | undefined) ?? [],
    ...number('quorum', 'quorum'),
    ...number('max-bytes', 'maxBytes'),
    ...(values.origin === undefined ? {} : { origin: values.origin as string }),
    ...(values.log === undefined ? {} : { log: values.log as string }),
    signal: io.signal,
  }).catch((error: unknown) => {
    throw asUsageError(error);
  });
  if (values.json === true) {
    await io.stdout.write(verbatim(io.stdout, `${JSON.stringify(report)}\n`));
  } else {
    await io.stdout.write(describe(report, location, keys.length > 0, io, true));
    const { witnessed, cosignatures } = report;
    if (witnessed !== undefined) await io.stdout.write(describeHeld({ witnessed, cosignatures }));
  }
  if (report.verdict === 'unproven') return EXIT.unproven;
  return report.ok ? EXIT.ok : EXIT.invalidLog;
}
