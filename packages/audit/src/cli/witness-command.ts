import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import type { ParseArgsOptionsConfig } from 'node:util';
import { safeText } from '@temper/core/policy';
import { noteVerifier } from '../chain/signing-key.ts';
import { cosigner } from '../witness/cosignature.ts';
import type { WitnessConflict, WitnessedLog } from '../witness/witness-options.ts';
import { type WitnessServer, witness } from '../witness/witness-server.ts';
import { orUsage, secretKey } from './checkpoint-command.ts';
import { asUsageError, EXIT, type ExitCode, UnreadableError, UsageError } from './exit-codes.ts';
import type { Values } from './filters.ts';
import type { Io } from './io.ts';

/** Options of the command `witness`. */
export const WITNESS_OPTIONS: ParseArgsOptionsConfig = {
  log: { type: 'string', multiple: true },
  'key-file': { type: 'string' },
  listen: { type: 'string' },
};

const DEFAULT_ADDRESS = '127.0.0.1:8421';

/** `witness`: runs a witness until it is interrupted. */
export async function witnessCommand(
  [directory, ...more]: readonly string[],
  values: Values,
  io: Io,
): Promise<ExitCode> {
  if (directory === undefined || more.length > 0) {
    throw new UsageError('witness requires exactly one directory.');
  }
  const { host, port } = addressFrom((values.listen as string | undefined) ?? DEFAULT_ADDRESS);
  const logs = orUsage(logsFrom)((values.log as readonly string[] | undefined) ?? []);
  const signer = orUsage((key: string) => cosigner(key, io.clock))(await secretKey(values, io));
  await using running = await start(directory, signer, logs, io);
  const { server } = running;
  server.listen(port, host);
  await once(server, 'listening').catch((error: Error) => {
    throw new UnreadableError(`The witness cannot listen: ${error.message}.`);
  });
  const { address, port: bound } = server.address() as AddressInfo;
  await io.stdout.write(`verifier key: ${running.verifierKey}\n`);
  await io.stdout.write(
    `listening on http://${host.includes(':') ? `[${address}]` : address}:${bound}\n`,
  );
  if (!io.signal.aborted) await once(io.signal, 'abort');
  return EXIT.interrupted;
}

async function start(
  directory: string,
  signer: ReturnType<typeof cosigner>,
  logs: readonly WitnessedLog[],
  io: Io,
): Promise<WitnessServer> {
  const onConflict = ({ kind, origin, refused }: WitnessConflict): unknown =>
    io.stderr.write(
      `refused (${kind}): a checkpoint of ${safeText(origin)} contradicts the cosigned one:\n${safeText(refused, 1_000)}\n`,
    );
  try {
    return await witness({ directory, cosigner: signer, logs, onConflict });
  } catch (error) {
    if (error instanceof TypeError) throw asUsageError(error);
    throw new UnreadableError((error as Error).message);
  }
}

/** Several keys of one origin are alternatives. */
function logsFrom(texts: readonly string[]): readonly WitnessedLog[] {
  const keys = new Map<string, string[]>();
  for (const text of texts) {
    // The data of a key is base64 and may end in '=': an origin comes before the first '+'.
    const at = text.lastIndexOf('=', text.indexOf('+'));
    const key = text.slice(at + 1);
    const origin = at < 0 ? noteVerifier(key).name : text.slice(0, at);
    keys.set(origin, [...(keys.get(origin) ?? []), key]);
  }
  if (keys.size === 0) throw new TypeError('witness requires --log with a verifier key.');
  return [...keys].map(([origin, those]) => ({ origin, keys: those }));
}

function addressFrom(text: string): { readonly host: string; readonly port: number } {
  const [, host = '', port = ''] = /^\[?([^\]]*)\]?:(\d{1,5})$/.exec(text) ?? [];
  if (host === '' || Number(port) > 65_535) {
    throw new UsageError(`--listen must be host:port, got '${text}'.`);
  }
  return { host, port: Number(port) };
}
