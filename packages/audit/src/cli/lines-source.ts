import { basename, dirname } from 'node:path';
import { lineSequence } from '../chain/line-fields.ts';
import { nodeFiles } from '../sinks/file/file-port.ts';
import { backwardLines, forwardLines } from '../sinks/file/segment-lines.ts';
import type { Anchor, AuditSource, ReadRange, StoredCheckpoint } from '../sinks/sink.ts';

/** A single file of JSON lines, plain or compressed: an export, or one file of a log. */
export class LinesSource implements AuditSource {
  readonly name: string;
  readonly #path: string;

  constructor(path: string) {
    this.name = basename(path);
    this.#path = path;
  }

  async *read({
    from = 0,
    to = Number.POSITIVE_INFINITY,
    reverse = false,
  }: ReadRange): AsyncGenerator<readonly string[], void, undefined> {
    const segment = { name: this.name, first: 1, compressed: this.name.endsWith('.gz') };
    const lines = reverse ? backwardLines : forwardLines;
    for await (const batch of lines(nodeFiles, dirname(this.#path), segment, false)) {
      const wanted = batch.filter((line) => {
        const sequence = lineSequence(line);
        return sequence === undefined || (sequence >= from && sequence <= to);
      });
      if (wanted.length > 0) yield wanted;
    }
  }

  async anchor(): Promise<Anchor | undefined> {
    return undefined;
  }

  async checkpoints(): Promise<readonly StoredCheckpoint[]> {
    return [];
  }
}
