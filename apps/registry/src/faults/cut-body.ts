import { setTimeout as sleep } from 'node:timers/promises';

/** Long enough for what was written to leave the process before its connection breaks. */
const FLUSH_MS = 20;

/** The first bytes of a body, and then a broken connection. */
export async function* destroyedBody(body: Buffer, bytes: number): AsyncGenerator<Buffer> {
  if (bytes > 0) yield body.subarray(0, bytes);
  await sleep(FLUSH_MS);
  throw new Error('The body was cut by a fault.');
}

/** The first bytes of a body, and then a polite end. */
export async function* shortBody(body: Buffer, bytes: number): AsyncGenerator<Buffer> {
  if (bytes > 0) yield body.subarray(0, bytes);
}

/** The first half of a body, and then silence until `released`. */
export async function* stalledBody(body: Buffer, released: Promise<void>): AsyncGenerator<Buffer> {
  yield body.subarray(0, body.length >> 1);
  await released;
  throw new Error('The stalled body was released.');
}

/** A copy with one bit of its middle byte turned over. */
export function corrupted(body: Buffer): Buffer {
  const copy = Buffer.from(body);
  const middle = copy.length >> 1;
  if (copy.length > 0) copy[middle] = copy[middle]! ^ 0x01;
  return copy;
}
