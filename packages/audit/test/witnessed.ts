import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type Clock, systemClock } from '@temper/core';
import { signCheckpoint } from '../src/chain/checkpoint.ts';
import { leafOf, MerkleFrontier } from '../src/chain/merkle.ts';
import { generateSigningKey, noteSigner } from '../src/chain/signing-key.ts';
import { cosigner } from '../src/witness/cosignature.ts';
import type { WitnessConflict } from '../src/witness/witness-options.ts';
import { witness } from '../src/witness/witness-server.ts';
import { temporaryDirectory } from './temporary-directory.ts';

export const logKey = generateSigningKey('example.com/log');
export const witnessKey = generateSigningKey('witness.example/w1');

/** An HTTP server on a free port. */
export interface Listening extends AsyncDisposable {
  readonly url: string;
}

export async function listening(handler: RequestListener): Promise<Listening> {
  const server = createServer(handler);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

/** A witness that listens, with the conflicts that it has reported. */
export interface RunningWitness extends AsyncDisposable {
  readonly url: string;
  readonly verifierKey: string;
  readonly conflicts: readonly WitnessConflict[];
  readonly directory: string;
}

export async function runningWitness({
  key = witnessKey,
  logs = [{ origin: 'example.com/log', keys: [logKey.verifierKey] }],
  clock = systemClock as Clock,
} = {}): Promise<RunningWitness> {
  const directory = temporaryDirectory();
  const conflicts: WitnessConflict[] = [];
  const running = await witness({
    directory: directory.path,
    cosigner: cosigner(key.secretKey, clock),
    logs,
    onConflict: (conflict) => conflicts.push(conflict),
  });
  running.server.listen(0, '127.0.0.1');
  await once(running.server, 'listening');
  const { port } = running.server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    verifierKey: running.verifierKey,
    conflicts,
    directory: directory.path,
    [Symbol.asyncDispose]: async () => {
      running.server.closeAllConnections();
      await running.close();
      directory[Symbol.dispose]();
    },
  };
}

/** A tree of made-up leaves; `salt` makes another history from `forkAt` on. */
export function treeOf(size: number, salt = '', forkAt = 0): MerkleFrontier {
  const tree = new MerkleFrontier();
  for (let i = 0; i < size; i++) tree.append(leaf(i, i < forkAt ? '' : salt));
  return tree;
}

export function leaf(index: number, salt = ''): Buffer {
  const text = Buffer.from(`${index}${salt}`).toString('hex').padStart(64, '0').slice(-64);
  return leafOf(text);
}

/** A checkpoint over {@link treeOf}, signed by the log's key. */
export function checkpointOf(
  tree: MerkleFrontier,
  origin = 'example.com/log',
  secretKey = logKey.secretKey,
): Promise<string> {
  return signCheckpoint({ origin, size: tree.size, root: tree.root() }, [noteSigner(secretKey)]);
}
