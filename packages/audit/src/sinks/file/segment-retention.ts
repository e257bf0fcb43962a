import { createHash } from 'node:crypto';
import { pipeline, Readable } from 'node:stream';
import { createGzip } from 'node:zlib';
import type { Clock } from '@temper/core';
import {
  type ChainHead,
  checkLine,
  checkLink,
  EMPTY_HEAD,
  parseLine,
} from '../../chain/hash-chain.ts';
import { decodeFrontier, encodeFrontier, leafOf } from '../../chain/merkle.ts';
import { AuditCorruptError } from '../../errors.ts';
import type { Anchor, Retirable, StoredCheckpoint } from '../sink.ts';
import { type FilePort, isTemporary, replaceFile, temporaryName } from './file-port.ts';
import { ANCHOR_FILE, CHECKPOINT_FILE, type FileSource } from './file-source.ts';
import { forwardLines, rawChunks } from './segment-lines.ts';
import { listSegments, type Segment } from './segments.ts';

/** Limits beyond which closed segments are removed. */
export interface FileRetention {
  readonly maxSegments: number;
  readonly maxAgeMs: number;
}

/**
 * Compresses a closed segment. The compressed file gets its name only when it is complete and durable;
 * the plain file is removed when the compressed one has been read back with the same content. A
 * compressed file with other content is somebody else's: neither file is touched then.
 */
export async function compressSegment(
  files: FilePort,
  directory: string,
  segment: Segment,
): Promise<void> {
  const plain = `${directory}/${segment.name}`;
  const compressed = { ...segment, name: `${segment.name}.gz`, compressed: true };
  const target = `${directory}/${compressed.name}`;
  const before = await files.stateOf(plain);
  if ((await files.stateOf(target)) === undefined) {
    const name = temporaryName();
    await writeCompressed(files, plain, `${directory}/${name}`);
    await files.rename(`${directory}/${name}`, target);
    await files.syncDirectory(directory);
  }
  const digests = [
    await digestOf(files, directory, segment),
    await digestOf(files, directory, compressed),
  ];
  const after = await files.stateOf(plain);
  if (digests[0] !== digests[1] || after?.identity !== before?.identity) return;
  await files.remove(plain);
}

async function writeCompressed(files: FilePort, from: string, to: string): Promise<void> {
  const source = await files.openToRead(from);
  try {
    const file = await files.create(to);
    try {
      const gzip = createGzip();
      // Errors of either stream end the loop below, so the callback has nothing to do.
      pipeline(Readable.from(rawChunks(source)), gzip, () => undefined);
      for await (const chunk of gzip) await file.append(chunk as Buffer);
      await file.sync();
    } finally {
      await file.close();
    }
  } catch (error) {
    await files.remove(to).catch(() => undefined); // the first error counts
    throw error;
  } finally {
    await source.close();
  }
}

/** Digest of the lines of a segment; undefined if it cannot be decompressed. */
async function digestOf(
  files: FilePort,
  directory: string,
  segment: Segment,
): Promise<string | undefined> {
  const digest = createHash('sha256');
  try {
    for await (const lines of forwardLines(files, directory, segment, false)) {
      digest.update(`${lines.join('\n')}\n`);
    }
  } catch (error) {
    if (error instanceof AuditCorruptError) return undefined;
    throw error;
  }
  return digest.digest('hex');
}

/** The events of the oldest closed segments beyond the limits; undefined if there are none. */
export async function retirableEvents(
  files: FilePort,
  directory: string,
  source: FileSource,
  retention: FileRetention,
  clock: Clock,
): Promise<Retirable | undefined> {
  const segments = await listSegments(files, directory);
  const cutoff = new Date(clock.now() - Math.min(retention.maxAgeMs, clock.now())).toISOString();
  let next: Segment | undefined;
  for (const [i, segment] of segments.slice(1).entries()) {
    const tooMany = segments.length - i > retention.maxSegments;
    // All events of a segment are older than the first event of the next one.
    if (!tooMany && !((await firstTimestamp(files, directory, segment)) < cutoff)) break;
    next = segment;
  }
  if (next === undefined) return undefined;
  const from = ((await source.anchor())?.sequence ?? 0) + 1;
  for await (const [line] of source.read({ from, to: next.first - 1, reverse: true })) {
    if (line !== undefined) return { from, ...headOf(parseLine(line)) };
  }
  return undefined;
}

/**
 * Removes closed segments up to an event. The anchor is written first, so that the remaining events can
 * be verified after a crash in between.
 */
export async function retireSegments(
  files: FilePort,
  directory: string,
  source: FileSource,
  last: ChainHead,
): Promise<void> {
  const segments = await listSegments(files, directory);
  const retired = segments.filter((_, i) => {
    const next = segments[i + 1]?.first;
    return next !== undefined && next <= last.sequence + 1;
  });
  const anchor = await anchorAfter(files, directory, retired, await source.anchor());
  if (anchor.sequence !== last.sequence || anchor.hash !== last.hash) {
    throw new AuditCorruptError('file', directory, last.sequence, 'it is not the last of its file');
  }
  await replaceFile(files, directory, ANCHOR_FILE, JSON.stringify(anchor));
  await dropRetired(files, directory, anchor);
  await pruneCheckpoints(files, directory, source, anchor.sequence);
}

async function firstTimestamp(
  files: FilePort,
  directory: string,
  segment: Segment,
): Promise<string> {
  for await (const [line] of forwardLines(files, directory, segment, true)) {
    if (line !== undefined) return parseLine(line).timestamp;
  }
  return '9'; // sorts after every timestamp
}

async function anchorAfter(
  files: FilePort,
  directory: string,
  segments: readonly Segment[],
  before: Anchor | undefined,
): Promise<Anchor> {
  const frontier = decodeFrontier(before?.sequence ?? 0, before?.frontier ?? []);
  let head: ChainHead = before ?? EMPTY_HEAD;
  for (const segment of segments) {
    for await (const lines of forwardLines(files, directory, segment, false)) {
      for (const line of lines) {
        const { sequence, hash, log } = parseLine(line);
        if (sequence <= head.sequence) continue;
        if (sequence !== head.sequence + 1) throw gap(directory, segment, head.sequence + 1);
        frontier.append(leafOf(hash));
        head = { sequence, hash, log };
      }
    }
  }
  const nodes = encodeFrontier(frontier);
  return { ...headOf(head), frontier: nodes };
}

function headOf({ sequence, hash, log }: ChainHead): ChainHead {
  return { sequence, hash, log };
}

/** Segments with a gap are not removed, because the gap could not be detected afterwards. */
function gap(directory: string, segment: Segment, sequence: number): AuditCorruptError {
  const path = `${directory}/${segment.name}`;
  return new AuditCorruptError('file', path, sequence, 'events before it are missing');
}

/** Removes unfinished files of an earlier process. */
export async function dropUnfinished(files: FilePort, directory: string): Promise<void> {
  for (const name of await files.list(directory)) {
    if (isTemporary(name)) await files.remove(`${directory}/${name}`);
  }
}

/**
 * Removes the segments up to an anchor. Their events must be a chain that ends with the anchor's event;
 * otherwise they are not what retention has removed, and stay.
 *
 * Uses one listing: the writer may start a new file at the same time, and files that are not in the
 * listing are not touched.
 */
export async function dropRetired(
  files: FilePort,
  directory: string,
  anchor: ChainHead,
): Promise<void> {
  const segments = await listSegments(files, directory);
  // A segment ends where the next one begins.
  const retired = segments.filter((_, i) => {
    const next = segments[i + 1]?.first;
    return next !== undefined && next <= anchor.sequence + 1;
  });
  if (retired.length === 0 || !(await endsWith(files, directory, retired, anchor))) return;
  for (const { name } of retired) await files.remove(`${directory}/${name}`);
  await files.syncDirectory(directory);
}

/** Whether the events of segments are a chain that ends with `head`. */
async function endsWith(
  files: FilePort,
  directory: string,
  segments: readonly Segment[],
  head: ChainHead,
): Promise<boolean> {
  let last: ChainHead | undefined;
  for (const segment of segments) {
    for await (const lines of forwardLines(files, directory, segment, false)) {
      for (const line of lines) {
        const checked = checkLine(line);
        if (checked.fault !== undefined) return false;
        const { event } = checked;
        if (last !== undefined && checkLink(event, last) !== undefined) return false;
        last = event;
      }
    }
  }
  return last?.sequence === head.sequence && last.hash === head.hash;
}

async function pruneCheckpoints(
  files: FilePort,
  directory: string,
  source: FileSource,
  sequence: number,
): Promise<void> {
  const all = await source.checkpoints();
  const kept = all.filter(({ size }) => size >= sequence);
  if (kept.length === all.length) return;
  await replaceFile(files, directory, CHECKPOINT_FILE, kept.map(checkpointLine).join(''));
}

/** A stored checkpoint as one line of JSON. */
export function checkpointLine({ note, size, frontier }: StoredCheckpoint): string {
  return `${JSON.stringify({ size, note, frontier })}\n`;
}

/** The closed, uncompressed segments of a log, oldest first. */
export async function uncompressedSegments(
  files: FilePort,
  directory: string,
): Promise<readonly Segment[]> {
  const segments = await listSegments(files, directory);
  return segments.slice(0, -1).filter(({ compressed }) => !compressed);
}
