import { setTimeout as sleep } from 'node:timers/promises';

/** Delay before breaking the connection, in milliseconds, so that written data is sent first. */
const FLUSH_MS = 20;

/** Sends the first bytes of a body, then breaks the connection. */
export async function* destroyedBody(body: Buffer, bytes: number): AsyncGenerator<Buffer> {
  if (bytes > 0) yield body.subarray(0, bytes);
  await sleep(FLUSH_MS);
  throw new Error('The body was cut by a fault.');
}

/** Sends the first bytes of a body, then ends the stream normally. */
export async function* shortBody(body: Buffer, bytes: number): AsyncGenerator<Buffer> {
  if (bytes > 0) yield body.subarray(0, bytes);
}

/** Sends the first half of a body, then stalls until `released`. */
export async function* stalledBody(body: Buffer, released: Promise<void>): AsyncGenerator<Buffer> {
  yield body.subarray(0, body.length >> 1);
  await released;
  throw new Error('The stalled body was released.');
}

/** A copy with one bit of the middle byte flipped. */
export function corrupted(body: Buffer): Buffer {
  const copy = Buffer.from(body);
  const middle = copy.length >> 1;
  if (copy.length > 0) copy[middle] = copy[middle]! ^ 0x01;
  return copy;
}
