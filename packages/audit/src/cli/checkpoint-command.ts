import { readFile } from 'node:fs/promises';
import { signCheckpoint } from '../chain/checkpoint.ts';
import { generateSigningKey, noteSigner } from '../chain/signing-key.ts';
import { verifyLog } from '../read/verify.ts';
import type { AuditSource } from '../sinks/sink.ts';
import { asUsageError, EXIT, type ExitCode, UnreadableError, UsageError } from './exit-codes.ts';
import type { Values } from './filters.ts';
import { type Io, verbatim } from './io.ts';
import { textOf } from './text-of.ts';

/** Environment variable with the secret key, as an alternative to a file. */
const KEY_VARIABLE = 'TEMPER_AUDIT_KEY';

/** `checkpoint`: prints the last stored checkpoint, or with `--sign` verifies the log and signs a new one. */
export async function checkpointCommand(
  source: AuditSource,
  values: Values,
  io: Io,
): Promise<ExitCode> {
  if (values.sign === true || values['key-file'] !== undefined) return signNew(source, values, io);
  const last = (await source.checkpoints()).at(-1);
  if (last === undefined) throw new UnreadableError('The log has no stored checkpoint.');
  await io.stdout.write(verbatim(io.stdout, last.note));
  return EXIT.ok;
}

async function signNew(source: AuditSource, values: Values, io: Io): Promise<ExitCode> {
  const signer = orUsage(noteSigner)(await secretKey(values, io));
  const origin = (values.origin as string | undefined) ?? signer.name;
  const checkpoints: string[] = [];
  for (const path of (values.checkpoint as string[]) ?? []) checkpoints.push(await textOf(path));
  const keys = [signer.verifierKey, ...((values.key as string[]) ?? [])];
  const { signal } = io;
  // The key of the operator must not sign what it has not signed before under this origin.
  const held = { keys, checkpoints, origin, requireCheckpoint: false, signal };
  const report = await verifyLog(source, held).catch((error: unknown) => {
    throw asUsageError(error);
  });
  if (report.problem !== undefined) {
    const { sequence, message } = report.problem;
    await io.stderr.write(
      `Not signed, because the log is invalid at event ${sequence}: ${message}\n`,
    );
    return EXIT.invalidLog;
  }
  if (report.replacedKeys.includes(signer.verifierKey)) {
    await io.stderr.write('Not signed, because the log states that this key is replaced.\n');
    return EXIT.invalidLog;
  }
  if (report.root === undefined)
    throw new UnreadableError(
      'The log cannot be signed: retention has removed events without storing their Merkle frontier.',
    );
  const body = { origin, size: report.last, root: Buffer.from(report.root, 'base64') };
  await io.stdout.write(await signCheckpoint(body, [signer]));
  return EXIT.ok;
}

/** The secret key of the options or the environment. @throws {UsageError} if there is none */
export async function secretKey(values: Values, io: Io): Promise<string> {
  const path = values['key-file'] as string | undefined;
  if (path === undefined) {
    const key = io.env[KEY_VARIABLE];
    if (key !== undefined && key !== '') return key.trim();
    throw new UsageError(`Give --key-file, or the secret key in ${KEY_VARIABLE}.`);
  }
  try {
    return (await readFile(path, 'utf8')).trim();
  } catch (error) {
    throw new UnreadableError(`${path} cannot be read: ${(error as Error).message}.`);
  }
}

/** `checkpoint --new-key NAME`: generates a key pair; the secret key on stdout, the verifier key on stderr. */
export async function newKeyCommand(name: string, io: Io): Promise<ExitCode> {
  const { secretKey, verifierKey } = orUsage(generateSigningKey)(name);
  await io.stdout.write(`${secretKey}\n`);
  await io.stderr.write(`verifier key: ${verifierKey}\n`);
  return EXIT.ok;
}

/** A function whose argument errors are errors of usage. */
export function orUsage<Input, T>(make: (input: Input) => T): (input: Input) => T {
  return (input) => {
    try {
      return make(input);
    } catch (error) {
      throw asUsageError(error);
    }
  };
}
