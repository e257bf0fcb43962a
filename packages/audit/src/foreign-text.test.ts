import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ManualClock } from '@temper/testkit';
import { InMemoryTelemetry } from '@temper/testkit/repository';
import { describe, expect, it } from 'vitest';
import { ScriptedSink } from '../test/scripted-sink.ts';
import { temporaryDirectory } from '../test/temporary-directory.ts';
import type { AuditEvent, AuditEventInput } from './chain/event.ts';
import { run } from './cli/run.ts';
import { AuditCorruptError, AuditLockedError, AuditUnavailableError } from './errors.ts';
import { auditLog } from './log/durable-log.ts';
import { verifyLog } from './read/verify.ts';
import { memorySink } from './sinks/memory/memory-sink.ts';
import { otelLogsSink } from './sinks/otel-logs/otel-logs-sink.ts';

const event: AuditEventInput = { eventType: 'a', action: 'b', resource: 'c', status: 'success' };
const ESC = '\u001b';
const CSI = '\u009b';
const BIDI = '\u202e';
/** Everything that text of others must not bring along, in front of more than can be stored. */
const HOSTILE = `${ESC}[31m${CSI}2J${BIDI}postgres://ann:pw-secret@db/x?token=t-secret ${'y'.repeat(2_000_000)}`;
// biome-ignore lint/suspicious/noControlCharactersInRegex: the expression finds control characters
const UNFIT = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202a-\u202e]|pw-secret|t-secret/;

function expectFit(text: unknown, maxLength: number): void {
  expect(typeof text).toBe('string');
  expect(text).not.toMatch(UNFIT);
  expect((text as string).length).toBeLessThanOrEqual(maxLength);
}

describe('text of others', () => {
  it('is bounded and scrubbed in messages of errors, which keep the original', () => {
    const cause = new Error(HOSTILE);
    const failures = [...'12345678'].map((sink) => ({ sink, error: cause }));
    const unavailable = new AuditUnavailableError('main', 8, failures);
    expectFit(unavailable.message, 3_000);
    expect(unavailable.message).toContain('postgres://***@db/x');
    expect(unavailable.cause).toBe(cause);
    const locked = new AuditLockedError('postgres', HOSTILE);
    expectFit(locked.message, 1_000);
    expect(locked.location).toBe(HOSTILE);
    expectFit(new AuditCorruptError('a', HOSTILE, 1, HOSTILE).message, 2_000);
  });

  it('ends in the innermost cause where a sink failed', async () => {
    const sink = new ScriptedSink('a');
    const log = auditLog({ sinks: [sink] });
    await log.ready();
    const cause = new Error('connect ECONNREFUSED 127.0.0.1:5432');
    sink.failWith = new AggregateError([cause], '', { cause });
    await expect(log.append(event)).rejects.toThrow('(a: connect ECONNREFUSED 127.0.0.1:5432)');
  });

  it('is bounded and scrubbed in stats()', async () => {
    const sink = new ScriptedSink('a');
    const log = auditLog({ sinks: [sink] });
    await log.ready();
    sink.failWith = new Error(HOSTILE);
    await expect(log.append(event)).rejects.toThrow(AuditUnavailableError);
    expectFit(log.stats().sinks[0]?.error, 512);
  });

  it('is bounded and scrubbed in the error of an event, and keeps its lines and its marker', async () => {
    const log = auditLog({ sinks: [memorySink()], limits: { maxStringLength: 200 } });
    const cause = Object.assign(new Error(HOSTILE), { name: HOSTILE, code: HOSTILE });
    const { error } = await log.append({ ...event, error: new Error('first\nsecond', { cause }) });
    expect(error?.message).toBe('first\nsecond');
    expect(error?.cause?.message).toMatch(
      /postgres:\/\/\*\*\*@db\/x\?token=\*\*\* y+\[truncated\]$/,
    );
    for (const text of Object.values(error?.cause ?? {})) expectFit(text, 300);
  });

  it('is scrubbed in an error that is kept as a detail', async () => {
    const log = auditLog({ sinks: [memorySink()] });
    const { details } = await log.append({ ...event, details: { error: new Error(HOSTILE) } });
    expectFit((details.error as { message: string }).message, 2_100);
  });

  it('is bounded and scrubbed in attributes of log records, whose body is the stored line', async () => {
    const telemetry = new InMemoryTelemetry();
    const log = auditLog({ sinks: [otelLogsSink()] });
    const error = Object.assign(new Error('x'), { code: HOSTILE });
    const actor = HOSTILE;
    const stored = await log.append({ ...event, resource: HOSTILE, actor, error });
    const [record] = telemetry.logs;
    const texts = Object.values(record?.attributes ?? {}).filter((v) => typeof v === 'string');
    expect(texts.length).toBeGreaterThan(6);
    for (const text of texts) expectFit(text, 512);
    expect(JSON.parse(record?.body as string)).toEqual(stored);
    await telemetry.close();
  });

  it('is bounded and scrubbed in the problem of a verification', async () => {
    const line = `{"action":"${HOSTILE}`;
    const report = await verifyLog(memorySink({ lines: [line] }).source);
    expect(report.problem?.kind).toBe('malformed');
    expectFit(report.problem?.message, 600);
  });
});

describe('temper-audit', () => {
  interface Shown {
    readonly code: number;
    readonly out: string;
    readonly err: string;
  }

  async function command(args: readonly string[], isTerminal: boolean): Promise<Shown> {
    let out = '';
    let err = '';
    const code = await run(args, {
      stdout: {
        isTerminal,
        columns: 80,
        write: (text) => {
          out += text;
        },
      },
      stderr: {
        isTerminal,
        columns: 80,
        write: (text) => {
          err += text;
        },
      },
      env: { NO_COLOR: '1' },
      clock: new ManualClock(),
      signal: new AbortController().signal,
    });
    return { code, out, err };
  }

  /** A log whose event has what a terminal would obey. */
  async function exported(): Promise<readonly string[]> {
    const log = auditLog({ sinks: [memorySink()] });
    const text = HOSTILE.slice(0, 100);
    await log.append({ ...event, action: text, resource: text, actor: text, details: { text } });
    const lines: string[] = [];
    for await (const line of log.export()) lines.push(line);
    return lines;
  }

  it.each([
    ['an unknown writer', ['verify', 'postgres://ann:pw-secret@127.0.0.1:1/db']],
    ['a URL that cannot be parsed', ['verify', 'postgres://ann:pw-secret@[/db']],
    ['an unknown command', [HOSTILE]],
    ['a log that does not exist', ['verify', `/nowhere/${HOSTILE.slice(0, 200)}`]],
    ['an option with a wrong value', ['query', '.', '--limit', HOSTILE]],
    ['an unknown option', ['query', '.', `--${HOSTILE.slice(0, 200)}`]],
  ])('does not print credentials and terminal escapes for %s', async (_, args) => {
    const { code, out, err } = await command(args, true);
    expect(code).toBeGreaterThan(1);
    expect(err).toMatch(/^temper-audit: ./);
    expectFit(out, 0);
    expectFit(err, 2_200);
  });

  it.each([
    [['query']],
    [['query', '--json']],
    [['tail']],
    [['tail', '--json']],
    [['export']],
    [['export', '--format', 'cloudevents']],
    [['verify']],
    [['verify', '--json']],
  ])('%j lets no text of the log command a terminal', async (args) => {
    using directory = temporaryDirectory();
    const path = join(directory.path, 'log.jsonl');
    const lines = await exported();
    writeFileSync(path, `${lines.join('\n')}\n`);
    const [name = '', ...rest] = args;
    const { out } = await command([name, path, ...rest], true);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: the expression finds control characters
    expect(out).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202a-\u202e]/);
    if (args.includes('--json') && name !== 'verify') {
      expect(JSON.parse(out)).toEqual(JSON.parse(lines[0] as string) as AuditEvent);
    }
    if (args.length === 1 && name === 'export') {
      expect((await command(['export', path], false)).out).toBe(`${lines.join('\n')}\n`);
    }
  });

  it('prints the location of a verified log without credentials', async () => {
    using directory = temporaryDirectory();
    const path = join(directory.path, 'log?password=pw-secret');
    writeFileSync(path, `${(await exported()).join('\n')}\n`);
    const { code, out } = await command(['verify', path, '--size', '1'], true);
    expect(code).toBe(0);
    expect(out).toContain('log?password=***: 1 events');
  });
});
