import { pipeline, Readable } from 'node:stream';
import { createGzip } from 'node:zlib';
import type { Clock } from '@temper/core';
import { type ChainHead, EMPTY_HEAD, parseLine } from '../../chain/hash-chain.ts';
import { decodeFrontier, encodeFrontier, leafOf } from '../../chain/merkle.ts';
import { AuditCorruptError } from '../../errors.ts';
import type { Anchor, SinkWriteResult, StoredCheckpoint } from '../sink.ts';
import { type FilePort, replaceFile } from './file-port.ts';
import { ANCHOR_FILE, CHECKPOINT_FILE, type FileSource } from './file-source.ts';
import { forwardLines, rawChunks } from './segment-lines.ts';
import { listSegments, parseSegment, type Segment } from './segments.ts';

/** Limits beyond which closed segments are removed. */
export interface FileRetention {
  readonly maxSegments: number;
  readonly maxAgeMs: number;
}

/**
 * Compresses a closed segment. The compressed file gets its name only when it is complete and durable;
 * then the plain file is removed.
 */
export async function compressSegment(
  files: FilePort,
  directory: string,
  segment: Segment,
): Promise<void> {
  const target = `${directory}/${segment.name}.gz`;
  const temporary = `${target}.tmp`;
  await files.remove(temporary);
  const source = await files.openToRead(`${directory}/${segment.name}`);
  try {
    const file = await files.create(temporary);
    try {
      const gzip = createGzip();
      // Errors of either stream end the loop below, so the callback has nothing to do.
      pipeline(Readable.from(rawChunks(source)), gzip, () => undefined);
      for await (const chunk of gzip) await file.append(chunk as Buffer);
      await file.sync();
    } finally {
      await file.close();
    }
  } finally {
    await source.close();
  }
  await files.rename(temporary, target);
  await files.syncDirectory(directory);
  await files.remove(`${directory}/${segment.name}`);
}

/**
 * Removes the oldest closed segments beyond the limits. The anchor is written first, so that the
 * remaining events can be verified after a crash in between.
 */
export async function removeOldSegments(
  files: FilePort,
  directory: string,
  source: FileSource,
  retention: FileRetention,
  clock: Clock,
): Promise<SinkWriteResult | undefined> {
  const segments = await listSegments(files, directory);
  const closed = segments.slice(0, -1);
  const cutoff = new Date(clock.now() - Math.min(retention.maxAgeMs, clock.now())).toISOString();
  let count = 0;
  for (const next of segments.slice(1)) {
    const tooMany = segments.length - count > retention.maxSegments;
    // All events of a segment are older than the first event of the next one.
    if (!tooMany && !((await firstTimestamp(files, directory, next)) < cutoff)) break;
    count++;
  }
  if (count === 0) return undefined;
  const before = await source.anchor();
  const from = (before?.sequence ?? 0) + 1;
  const retired = await anchorAfter(files, directory, closed.slice(0, count), before);
  await replaceFile(files, directory, ANCHOR_FILE, JSON.stringify(retired));
  await dropBelow(files, directory, retired.sequence);
  await pruneCheckpoints(files, directory, source, retired.sequence);
  return { retired: { from, sequence: retired.sequence, hash: retired.hash } };
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
        const { sequence, hash } = parseLine(line);
        if (sequence <= head.sequence) continue;
        if (sequence !== head.sequence + 1) throw gap(directory, segment, head.sequence + 1);
        frontier.append(leafOf(hash));
        head = { sequence, hash };
      }
    }
  }
  const nodes = encodeFrontier(frontier);
  return { sequence: head.sequence, hash: head.hash, frontier: nodes };
}

/** Segments with a gap are not removed, because the gap could not be detected afterwards. */
function gap(directory: string, segment: Segment, sequence: number): AuditCorruptError {
  const path = `${directory}/${segment.name}`;
  return new AuditCorruptError('file', path, sequence, 'events before it are missing');
}

/**
 * Removes segments that end at or before a sequence, and files left over by a crash.
 *
 * Uses one listing: the writer may start a new file at the same time, and files that are not in the
 * listing are not touched.
 */
export async function dropBelow(
  files: FilePort,
  directory: string,
  sequence: number,
): Promise<void> {
  const names = await files.list(directory);
  const firsts = names.flatMap((name) => parseSegment(name)?.first ?? []);
  const isLeftover = (name: string): boolean => {
    if (name.endsWith('.tmp')) return true;
    const segment = parseSegment(name);
    if (segment === undefined) return false;
    // A compressed file with its final name is complete, so the plain file is not needed.
    if (names.includes(`${name}.gz`)) return true;
    // The segment ends where the next one begins.
    return firsts.some((next) => next > segment.first && next <= sequence + 1);
  };
  const leftovers = names.filter(isLeftover);
  for (const name of leftovers) await files.remove(`${directory}/${name}`);
  if (leftovers.length > 0) await files.syncDirectory(directory);
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
