import { describe, expect, it } from 'vitest';
import { genesis, parseLine } from '../src/chain/hash-chain.ts';
import { generateSigningKey, noteSigner } from '../src/chain/signing-key.ts';
import { auditLog } from '../src/log/durable-log.ts';
import { Intake } from '../src/log/intake/intake.ts';
import { Redactor } from '../src/log/intake/redaction.ts';
import { DEFAULT_LIMITS } from '../src/log/options.ts';
import { verifyLog } from '../src/read/verify.ts';
import type { VerifyOptions, VerifyReport } from '../src/read/verify-report.ts';
import type { AuditSink, AuditSource, StoredCheckpoint } from '../src/sinks/sink.ts';

/** A stored log and the operations of an attacker with full access to it. */
export interface TamperTarget {
  /** A sink over the store. */
  sink(): AuditSink;
  /** A new source of the store. */
  source(): AuditSource | Promise<AuditSource>;
  /** Replaces all lines without the sink. */
  replaceLines(lines: readonly string[]): void | Promise<void>;
  /** Replaces all stored checkpoints. */
  replaceCheckpoints(checkpoints: readonly StoredCheckpoint[]): void | Promise<void>;
  dispose(): void | Promise<void>;
}

const COUNT = 20;
const key = generateSigningKey('example.com/audit');
const strangers = generateSigningKey('example.com/audit');
const intake = new Intake({
  now: () => 1_700_000_000_000,
  activeSpan: () => undefined,
  redactor: new Redactor(),
  limits: DEFAULT_LIMITS,
});

/** A forged chain that is valid in itself. */
function forgery(lines: readonly string[], after = 0): string[] {
  const kept = lines.slice(0, after);
  const last = kept.at(-1);
  let head = last === undefined ? genesis(parseLine(lines[0] as string).log) : parseLine(last);
  for (let i = after; i < lines.length; i++) {
    const sealed = intake
      .prepare({
        eventType: 'operation',
        action: 'harmless',
        resource: 'nothing',
        status: 'success',
      })
      .seal(head);
    kept.push(sealed.line);
    head = sealed.event;
  }
  return kept;
}

/** One event with other content and a matching hash, in the same place. */
function rehashed(lines: readonly string[], sequence: number): string {
  return forgery(lines.slice(0, sequence), sequence - 1)[sequence - 1] as string;
}

/** Tests every kind of tampering on one kind of store. */
export function describeTampering(name: string, make: () => Promise<TamperTarget>): void {
  describe(`a log in ${name}`, { timeout: 180_000 }, () => {
    interface Log {
      readonly target: TamperTarget;
      readonly lines: readonly string[];
      readonly stored: readonly StoredCheckpoint[];
      /** A checkpoint stored elsewhere. */
      readonly kept: string;
      verify(options?: VerifyOptions): Promise<VerifyReport>;
    }

    async function written(test: (log: Log) => Promise<void>): Promise<void> {
      const target = await make();
      try {
        const log = auditLog({
          sinks: [target.sink()],
          checkpoints: { signer: noteSigner(key.secretKey), everyEvents: 5 },
        });
        for (let i = 1; i <= COUNT; i++) {
          log.record({
            eventType: 'operation',
            action: `step ${i}`,
            resource: 'r',
            status: 'success',
          });
          if (i % 5 === 0) await log.checkpoint();
        }
        const { note } = await log.checkpoint();
        await log.close();
        const source = await target.source();
        const lines: string[] = [];
        for await (const batch of source.read({})) lines.push(...batch);
        const stored = await source.checkpoints();
        await test({
          target,
          lines,
          stored,
          kept: note,
          verify: async (options = {}) => verifyLog(await target.source(), options),
        });
      } finally {
        await target.dispose();
      }
    }

    it('verifies an unmodified log', () =>
      written(async ({ verify, kept, lines, stored }) => {
        expect(lines).toHaveLength(COUNT);
        expect(stored.map(({ size }) => size)).toEqual([5, 10, 15, 20]);
        const report = await verify({ keys: [key.verifierKey], checkpoints: [kept] });
        expect(report).toMatchObject({
          ok: true,
          events: COUNT,
          first: 1,
          last: COUNT,
          problem: undefined,
        });
        expect(report.checkpoints).toEqual({ checked: 5, trusted: 5, covered: 20, tooOld: 0 });
      }));

    it('detects an edited event', () =>
      written(async ({ target, lines, verify }) => {
        const edited = (lines[6] as string).replace('step 7', 'step 8');
        await target.replaceLines(lines.with(6, edited));
        expect((await verify()).problem).toMatchObject({ kind: 'edited', sequence: 7 });
      }));

    it('detects an edited and rehashed event', () =>
      written(async ({ target, lines, verify }) => {
        await target.replaceLines(lines.with(6, rehashed(lines, 7)));
        expect((await verify()).problem).toMatchObject({ kind: 'edited', sequence: 7 });
      }));

    it('detects a line that is not an event', () =>
      written(async ({ target, lines, verify }) => {
        await target.replaceLines(lines.with(6, 'nothing'));
        expect((await verify()).problem).toMatchObject({ kind: 'malformed', sequence: 7 });
      }));

    it.each([
      ['the first event', 0, 1],
      ['the second event', 1, 1],
      ['several events in the middle', 9, 3],
      ['all events but the last', 0, COUNT - 1],
    ])('detects the removal of %s', (_, at, count) =>
      written(async ({ target, lines, verify }) => {
        await target.replaceLines(lines.toSpliced(at, count));
        expect((await verify()).problem).toMatchObject({ kind: 'removed', sequence: at + 1 });
      }),
    );

    it('detects an inserted event', () =>
      written(async ({ target, lines, verify }) => {
        await target.replaceLines(lines.toSpliced(6, 0, rehashed(lines, 7)));
        const { problem } = await verify();
        expect(problem?.sequence).toBe(7);
        expect(problem?.kind).toMatch(/inserted|edited/);
        await target.replaceLines(lines.toSpliced(7, 0, lines[6] as string));
        expect((await verify()).problem).toMatchObject({ kind: 'inserted', sequence: 7 });
      }));

    it.each([
      ['neighbours', 4, 5],
      ['events far apart', 2, 17],
      ['the first and the last event', 0, COUNT - 1],
    ])('detects that %s were swapped', (_, a, b) =>
      written(async ({ target, lines, verify }) => {
        const swapped = lines.with(a, lines[b] as string).with(b, lines[a] as string);
        await target.replaceLines(swapped);
        expect((await verify()).problem).toMatchObject({ kind: 'reordered', sequence: a + 1 });
      }),
    );

    it('detects a truncated log by its checkpoints or by one stored elsewhere', () =>
      written(async ({ target, lines, stored, kept, verify }) => {
        await target.replaceLines(lines.slice(0, 17));
        expect((await verify()).problem).toMatchObject({ kind: 'truncated', sequence: 18 });
        await target.replaceCheckpoints(stored.slice(0, 3));
        expect((await verify({ keys: [key.verifierKey] })).ok).toBe(true); // the stored checkpoints match the truncated log
        const report = await verify({ keys: [key.verifierKey], checkpoints: [kept] });
        expect(report.problem).toMatchObject({ kind: 'truncated', sequence: 18 });
      }));

    it('detects the removal of the whole log by a checkpoint stored elsewhere', () =>
      written(async ({ target, kept, verify }) => {
        await target.replaceLines([]);
        await target.replaceCheckpoints([]);
        const report = await verify({ checkpoints: [kept] });
        expect(report.problem).toMatchObject({ kind: 'truncated', sequence: 1 });
      }));

    it('detects a log rewritten completely or from some event on', () =>
      written(async ({ target, lines, kept, verify }) => {
        await target.replaceLines(forgery(lines));
        expect((await verify()).problem).toMatchObject({ kind: 'rewritten', sequence: 1 });
        await target.replaceLines(forgery(lines, 12));
        expect((await verify()).problem).toMatchObject({ kind: 'rewritten', sequence: 11 });
        await target.replaceCheckpoints([]);
        expect((await verify()).verdict).toBe('unproven'); // not detectable without keys or checkpoints
        const keys = [key.verifierKey];
        expect((await verify({ keys })).problem).toMatchObject({ kind: 'unsigned', sequence: 1 });
        const report = await verify({ keys, checkpoints: [kept] });
        expect(report.problem).toMatchObject({ kind: 'rewritten', sequence: 1 });
      }));

    it('detects a log rewritten and signed with another key', () =>
      written(async ({ target, lines, verify }) => {
        const forged = forgery(lines);
        const { stored } = await resigned(forged);
        await target.replaceLines(forged);
        await target.replaceCheckpoints(stored);
        expect((await verify()).verdict).toBe('unproven');
        const report = await verify({ keys: [key.verifierKey] });
        expect(report.problem).toMatchObject({ kind: 'unsigned' });
      }));

    it('detects a checkpoint with an invalid signature', () =>
      written(async ({ target, stored, verify }) => {
        const [first, ...rest] = stored as [StoredCheckpoint, ...StoredCheckpoint[]];
        const note = first.note.replace(/(?<=— \S+ \S{20})./, (sign) => (sign === 'x' ? 'y' : 'x'));
        await target.replaceCheckpoints([{ ...first, note }, ...rest]);
        const report = await verify({ keys: [key.verifierKey] });
        expect(report.problem).toMatchObject({ kind: 'checkpoint', sequence: 5 });
        await target.replaceCheckpoints([{ ...first, note: 'nothing' }, ...rest]);
        expect((await verify()).problem).toMatchObject({ kind: 'checkpoint', sequence: 5 });
      }));

    it('does not append to a log whose end was changed', () =>
      written(async ({ target, lines }) => {
        const last = (lines.at(-1) as string).replace('step 20', 'step 21');
        await target.replaceLines(lines.with(-1, last));
        const log = auditLog({ sinks: [target.sink()] });
        const error = await log.ready().catch((thrown: unknown) => thrown);
        await log.close().catch(() => undefined);
        expect(error).toMatchObject({
          code: 'AUDIT_UNAVAILABLE',
          cause: { code: 'AUDIT_CORRUPT' },
        });
      }));

    it('does not sign a log that is shorter than its last checkpoint', () =>
      written(async ({ target, lines }) => {
        await target.replaceLines(lines.slice(0, 17));
        const log = auditLog({
          sinks: [target.sink()],
          checkpoints: { signer: noteSigner(key.secretKey) },
        });
        const error = await log.checkpoint().catch((thrown: unknown) => thrown);
        await log.close().catch(() => undefined);
        // A store with a separate head detects this when it is opened.
        const { code, cause } = error as { readonly code: string; readonly cause: unknown };
        const corrupt = code === 'AUDIT_UNAVAILABLE' ? cause : error;
        expect(corrupt).toMatchObject({ code: 'AUDIT_CORRUPT', sequence: 18 });
      }));
  });
}

/** Checkpoints over a forged log, signed with another key. */
async function resigned(
  lines: readonly string[],
): Promise<{ readonly stored: readonly StoredCheckpoint[] }> {
  const { memorySink } = await import('../src/sinks/memory/memory-sink.ts');
  const sink = memorySink({ lines });
  const log = auditLog({
    sinks: [sink],
    checkpoints: { signer: noteSigner(strangers.secretKey), origin: 'example.com/audit' },
  });
  await log.checkpoint();
  return { stored: await sink.source.checkpoints() };
}
