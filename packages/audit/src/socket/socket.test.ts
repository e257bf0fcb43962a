import { chmodSync, existsSync, lstatSync, symlinkSync, writeFileSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { connect, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { trace } from '@opentelemetry/api';
import { ManualClock } from '@temper/testkit/clock';
import { InMemoryTelemetry } from '@temper/testkit/repository';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CuttingProxy } from '../../test/cutting-proxy.ts';
import { ScriptedSink } from '../../test/scripted-sink.ts';
import { type TemporaryDirectory, temporaryDirectory } from '../../test/temporary-directory.ts';
import { audited } from '../audited.ts';
import type { AuditEvent, AuditEventInput } from '../chain/event.ts';
import type { AuditLog, AuditWriter } from '../log/audit-log.ts';
import { auditLog } from '../log/durable-log.ts';
import type { AuditLogOptions } from '../log/options.ts';
import { fileSink } from '../sinks/file/file-sink.ts';
import { memorySink } from '../sinks/memory/memory-sink.ts';
import {
  type LogServer,
  type ServeLogOptions,
  type SocketLogOptions,
  serveLog,
  socketLog,
} from './index.ts';
import { MAX_REQUEST_BYTES } from './protocol.ts';

const event = (action: string, more: Partial<AuditEventInput> = {}): AuditEventInput => ({
  eventType: 'operation',
  action,
  resource: 'r',
  status: 'success',
  ...more,
});

let directory: TemporaryDirectory;
let path: string;
/** Closed after each test, the last one first. */
let opened: { close(): Promise<unknown> }[];
beforeEach(() => {
  directory = temporaryDirectory();
  path = join(directory.path, 's');
  opened = [];
});
afterEach(async () => {
  for (const each of opened.reverse()) await each.close().catch(() => undefined);
  directory[Symbol.dispose]();
});

function kept<T extends { close(): Promise<unknown> }>(each: T): T {
  opened.push(each);
  return each;
}

async function served(
  options: AuditLogOptions = { sinks: [memorySink()] },
  more: Partial<ServeLogOptions> = {},
): Promise<{ log: AuditLog; server: LogServer }> {
  const log = kept(auditLog(options));
  const server = kept(await serveLog(log, { path, ...more }));
  return { log, server };
}

function client(options: Partial<SocketLogOptions> = {}): AuditWriter {
  return kept(socketLog({ path, ...options }));
}

async function actions(log: AuditLog): Promise<string[]> {
  return (await log.getEvents(1_000)).map(({ action }) => action);
}

/** Resolves when `condition` holds, which I/O brings about. */
async function until(condition: () => boolean): Promise<void> {
  for (let turns = 0; !condition(); turns++) {
    if (turns > 50_000) throw new Error(`This never came: ${condition}`);
    await stat(directory.path);
  }
}

describe('a log that is served', () => {
  it('gives clients the event that it has stored, with id, place and hash', async () => {
    const { log } = await served();
    await log.append(event('own'));
    const stored = await client().append(event('theirs', { details: { a: [1, { b: 2 }] } }));
    expect(stored).toMatchObject({ sequence: 2, action: 'theirs', details: { a: [1, { b: 2 }] } });
    expect(Object.isFrozen(stored.details)).toBe(true);
    expect(await log.getEvents(1)).toEqual([stored]);
    expect(await log.verify()).toMatchObject({ problem: undefined, events: 2 });
  });

  it('stores the span that was active in the client', async () => {
    const telemetry = new InMemoryTelemetry();
    const { log } = await served();
    const remote = client();
    const tracer = trace.getTracer('test');
    const context = await tracer.startActiveSpan('call', async (span) => {
      const appended = remote.append(event('traced'));
      span.end();
      await appended;
      return span.spanContext();
    });
    const [stored] = await log.getEvents(1);
    expect(stored).toMatchObject({ traceId: context.traceId, spanId: context.spanId });
    await telemetry.close();
  });

  it('redacts and limits with the rules of the log, whatever the client sends', async () => {
    const { log } = await served({
      sinks: [memorySink()],
      limits: { maxStringLength: 20 },
      redaction: { rules: [{ keys: ['secret'], action: 'mask' }] },
    });
    const long = 'x'.repeat(100);
    await client().append(event('a', { resource: long, details: { secret: 'hunter2', long } }));
    const [stored] = await log.getEvents(1);
    expect(stored?.details).toEqual({ secret: '[redacted]', long: `${'x'.repeat(20)}[truncated]` });
    expect(stored?.resource).toBe(`${'x'.repeat(20)}[truncated]`);
  });

  it('copies what the caller passes at once and runs none of its code', async () => {
    const { log } = await served();
    const details = {
      a: 1,
      get b(): number {
        throw new Error('called');
      },
    };
    const appended = client().append(event('copied', { details }));
    details.a = 2;
    await appended;
    expect((await log.getEvents(1))[0]?.details).toEqual({ a: 1, b: '[getter]' });
  });

  it.each<[string, object]>([
    ['an unknown field', { misspelt: 1 }],
    ['an empty resource', { resource: '' }],
    ['a reserved type', { eventType: 'audit' }],
    ['an action that is too long', { action: 'x'.repeat(257) }],
    ['details that are no object', { details: 'x' }],
    ['a wrong actor', { actor: { id: 5 } }],
    ['a wrong duration', { durationMs: -1 }],
  ])('refuses %s in the client, like a log in the process', async (_, wrong) => {
    const local = kept(auditLog({ sinks: [memorySink()] }));
    const remote = client();
    const input = event('a', wrong as Partial<AuditEventInput>);
    const expected = await local.append(input).catch((error: Error) => error);
    expect(expected).toBeInstanceOf(TypeError);
    await expect(remote.append(input)).rejects.toThrow((expected as Error).message);
    expect(() => remote.record(input)).toThrow((expected as Error).message);
    expect(remote.stats().state).toBe('idle');
  });

  it('keeps the order of the events of one client', async () => {
    const { log } = await served();
    const remote = client();
    const names = Array.from({ length: 500 }, (_, i) => `n${i}`);
    for (const name of names) remote.record(event(name));
    await remote.flush();
    expect(await actions(log)).toEqual(names);
  });

  it('audits calls in another process', async () => {
    const { log } = await served();
    const policy = audited(client(), { action: 'call', resource: 'r', write: 'around' });
    expect(await policy.execute(() => 5)).toBe(5);
    await expect(policy.execute(() => Promise.reject(new Error('no')))).rejects.toThrow('no');
    expect((await log.getEvents(9)).map(({ status, error }) => [status, error?.message])).toEqual([
      ['started', undefined],
      ['success', undefined],
      ['started', undefined],
      ['failure', 'no'],
    ]);
  });

  it('refuses a log without a sink that can be read, and one that is no log of auditLog', async () => {
    const { log } = await served();
    await expect(serveLog({ ...log } as AuditLog, { path })).rejects.toThrow(TypeError);
    await expect(serveLog(client() as AuditLog, { path })).rejects.toThrow(TypeError);
    const unreadable = { name: 'u', durable: true, write: async () => undefined };
    const sink = {
      ...unreadable,
      open: async () => ({ head: { sequence: 0, hash: '0'.repeat(64), log: '' } }),
      close: async () => undefined,
    };
    await expect(serveLog(kept(auditLog({ sinks: [sink] })), { path: `${path}2` })).rejects.toThrow(
      'can be read',
    );
  });
});

describe('a refusal', () => {
  it('of the log reaches the client with the failures of its sinks, and is over when they are', async () => {
    const sink = new ScriptedSink('disk');
    const { log } = await served({ sinks: [sink], sinkRetryMs: 0 });
    const clock = new ManualClock();
    const remote = client({ clock });
    sink.failWith = new Error('no space');
    await expect(remote.append(event('refused'))).rejects.toMatchObject({
      code: 'AUDIT_UNAVAILABLE',
      required: 1,
      failures: [{ sink: 'disk', error: { message: 'no space' } }],
    });
    expect(remote.stats().state).toBe('unavailable');
    sink.failWith = undefined;
    await clock.advance(250);
    await remote.append(event('stored'));
    expect(remote.stats()).toMatchObject({ stored: 1, refused: 1, state: 'open' });
    // The refused event has kept its place, and the log has counted the refusal once.
    const events = await log.getEvents(9);
    expect(events.map(({ action }) => action)).toEqual(['refused', 'account', 'stored']);
    expect(events[1]?.details).toMatchObject({ refused: 1 });
  });

  it('of a missing server comes at once, and for retryMs without another attempt', async () => {
    const clock = new ManualClock();
    const remote = client({ clock, retryMs: 250 });
    await expect(remote.append(event('a'))).rejects.toThrow('There is no socket');
    expect(() => remote.assertAvailable()).toThrow('There is no socket');
    await served();
    await expect(remote.append(event('b'))).rejects.toThrow('There is no socket');
    await clock.advance(250);
    remote.assertAvailable();
    expect(await remote.append(event('c'))).toMatchObject({ action: 'c' });
  });

  it('is recorded in the log when the server is back', async () => {
    const remote = client({ retryMs: 1, queueLimit: 1 });
    await expect(remote.append(event('a'))).rejects.toMatchObject({ code: 'AUDIT_UNAVAILABLE' });
    remote.record(event('b'));
    remote.record(event('c'));
    const { log } = await served();
    await expect(remote.flush()).rejects.toMatchObject({ code: 'AUDIT_LOST', lost: 1 });
    const events = await log.getEvents(9);
    expect(events.map(({ action }) => action)).toEqual(['account', 'b']);
    expect(events[0]).toMatchObject({
      eventType: 'audit',
      details: { refused: 1, degraded: 0, dropped: 1 },
    });
    await remote.flush();
  });

  it('with degrade is none: the event is held, has no place, and is stored later', async () => {
    const remote = client({ retryMs: 1, whenUnavailable: 'degrade', holdLimit: 2 });
    const [a, , c] = await Promise.all(
      ['a', 'b', 'c'].map((action) => remote.append(event(action, { details: { x: 1 } }))),
    );
    expect(a).toMatchObject({ sequence: 0, action: 'a', details: {}, resource: '[redacted]' });
    expect(c).toMatchObject({ sequence: 0, action: 'c' });
    expect(remote.stats()).toMatchObject({ degraded: 2, dropped: 1, pending: 2 });
    const { log } = await served();
    await expect(remote.flush()).rejects.toMatchObject({ code: 'AUDIT_LOST', lost: 1 });
    const events: readonly AuditEvent[] = await log.getEvents(9);
    expect(events.map(({ action }) => action)).toEqual(['account', 'a', 'b']);
    expect(events[1]).toMatchObject({ id: (a as AuditEvent).id, details: { x: 1 } });
  });

  it('comes after timeoutMs from a server that does not answer', async () => {
    const clock = new ManualClock();
    const mute = createServer((socket) => {
      socket.write('{"temperAudit":1,"after":0}\n');
      socket.resume();
    }).listen(path);
    kept({ close: () => new Promise((resolve) => mute.close(resolve)) });
    const remote = client({ clock, timeoutMs: 500 });
    let outcome = 'pending';
    const appended = remote.append(event('a')).catch((error: Error) => {
      outcome = error.message;
    });
    await until(() => remote.stats().state === 'open');
    await clock.advance(499);
    expect(outcome).toBe('pending');
    await clock.advance(1);
    await appended;
    expect(outcome).toContain('within 500 ms');
  });

  it('by flush names an unreachable server, and by close the number of lost events', async () => {
    const clock = new ManualClock();
    const remote = client({ clock, timeoutMs: 1_000 });
    for (const action of ['a', 'b', 'c']) remote.record(event(action));
    await expect(remote.flush()).rejects.toMatchObject({ code: 'AUDIT_UNAVAILABLE' });
    const closing = remote.close().catch((error: unknown) => error);
    for (let i = 0; i < 20; i++) await clock.advance(100);
    expect(await closing).toMatchObject({ code: 'AUDIT_LOST', lost: 3 });
    await expect(remote.append(event('late'))).rejects.toMatchObject({ code: 'AUDIT_CLOSED' });
    expect(() => remote.record(event('late'))).toThrow('closed');
    expect(() => remote.assertAvailable()).toThrow('closed');
  });
});

describe('an event whose acknowledgement is lost', () => {
  it.each(['cut', 'cut-half'] as const)(
    'is sent again and stored once, when the answer is %s',
    async (how) => {
      const { log } = await served();
      const proxy = kept(await CuttingProxy.between(`${path}p`, path));
      let cuts = 3;
      proxy.answer = (line) => (line.includes('"event"') && cuts-- > 0 ? how : 'pass');
      const remote = client({ path: `${path}p`, retryMs: 1 });
      await remote.ready();
      const stored = await Promise.all([remote.append(event('a')), remote.append(event('b'))]);
      expect(stored.map(({ action }) => action)).toEqual(['a', 'b']);
      expect(proxy.connections).toBeGreaterThan(1);
      expect(await log.getEvents(9)).toEqual([...stored].sort((x, y) => x.sequence - y.sequence));
    },
  );

  it.each(['cut', 'cut-half'] as const)('is stored, when the request was %s', async (how) => {
    const { log, server } = await served();
    const proxy = kept(await CuttingProxy.between(`${path}p`, path));
    let cuts = 1;
    proxy.request = (line) => (line.includes('"store"') && cuts-- > 0 ? how : 'pass');
    const remote = client({ path: `${path}p`, retryMs: 1 });
    await remote.ready();
    remote.record(event('a'));
    await remote.flush();
    expect(await actions(log)).toEqual(['a']);
    expect(server.stats().expelled).toBe(0);
  });

  it('is joined while the log is still storing it', async () => {
    const sink = new ScriptedSink('disk');
    const { log, server } = await served({ sinks: [sink] });
    const proxy = kept(await CuttingProxy.between(`${path}p`, path));
    const remote = client({ path: `${path}p`, retryMs: 1 });
    await remote.ready();
    sink.hold();
    const appended = remote.append(event('a'));
    await until(() => server.stats().pending === 1);
    proxy.request = (line) => (line.includes('"other"') ? 'cut' : 'pass');
    const other = remote.append(event('other'));
    await until(() => proxy.connections === 2);
    proxy.request = () => 'pass';
    sink.release();
    await Promise.all([appended, other]);
    expect((await actions(log)).sort()).toEqual(['a', 'other']);
  });

  it('is found in the log of a server that was started again', async () => {
    const options = { sinks: [fileSink({ directory: join(directory.path, 'log') })] };
    const first = await served(options);
    const proxy = kept(await CuttingProxy.between(`${path}p`, path));
    const remote = client({ path: `${path}p`, retryMs: 1 });
    await remote.append(event('before'));
    let swallow = true;
    proxy.answer = () => (swallow ? 'cut' : 'pass');
    const appended = remote.append(event('a'));
    await until(() => first.log.stats().stored === 2);
    await first.server.close();
    await first.log.close();
    swallow = false;
    const { log } = await served({ sinks: [fileSink({ directory: join(directory.path, 'log') })] });
    expect(await appended).toMatchObject({ action: 'a', sequence: 2 });
    expect(await actions(log)).toEqual(['before', 'a']);
  });

  it('can have been refused by the log and stored since', async () => {
    const sink = new ScriptedSink('disk');
    const { log } = await served({ sinks: [sink], sinkRetryMs: 0 });
    const remote = client({ clock: new ManualClock() });
    await remote.ready();
    sink.failWith = new Error('no space');
    remote.record(event('a'));
    await until(() => remote.stats().state === 'unavailable');
    sink.failWith = undefined;
    await remote.flush();
    expect(await actions(log)).toEqual(['a', 'account']);
  });
});

describe('a server', () => {
  it('creates a socket for its user only, and removes it', async () => {
    const { server } = await served();
    expect(lstatSync(path).mode & 0o777).toBe(0o600);
    await server.close();
    expect(existsSync(path)).toBe(false);
  });

  it('is the only one at its path', async () => {
    await served();
    const other = kept(auditLog({ sinks: [memorySink()] }));
    await expect(serveLog(other, { path })).rejects.toMatchObject({ code: 'AUDIT_LOCKED' });
    expect(await client().append(event('a'))).toMatchObject({ sequence: 1 });
  });

  it('replaces the socket of one that was killed, but no other file', async () => {
    const stale = createServer().listen(path);
    await new Promise((resolve) => stale.once('listening', resolve));
    kept({ close: () => new Promise((resolve) => stale.close(resolve)) });
    await served();
    expect(await client().append(event('a'))).toMatchObject({ sequence: 1 });
    writeFileSync(`${path}2`, 'precious');
    const log = kept(auditLog({ sinks: [memorySink()] }));
    await expect(serveLog(log, { path: `${path}2` })).rejects.toThrow('not a socket');
    // The path is free again for one that is.
    await expect(serveLog(log, { path: `${path}2` })).rejects.toThrow('not a socket');
  });

  it('refuses a directory that others can change, and a path that is too long', async () => {
    const log = kept(auditLog({ sinks: [memorySink()] }));
    chmodSync(directory.path, 0o777);
    await expect(serveLog(log, { path })).rejects.toThrow('can be changed by others');
    chmodSync(directory.path, 0o1777);
    kept(await serveLog(log, { path }));
    await expect(serveLog(log, { path: `/${'x'.repeat(100)}` })).rejects.toThrow('94 bytes');
  });

  it('is not trusted by a client if its socket belongs to another user, or is a link or a file', async () => {
    await served();
    if (process.getuid?.() !== 0) {
      await expect(client({ serverUid: 12_345 }).append(event('a'))).rejects.toThrow('belongs to');
    }
    symlinkSync(path, `${path}l`);
    await expect(client({ path: `${path}l` }).append(event('a'))).rejects.toThrow('not a socket');
    chmodSync(directory.path, 0o777);
    await expect(client().append(event('a'))).rejects.toThrow('can be changed by others');
  });

  it('can end before its clients, whose acknowledged events are no loss', async () => {
    const { log, server } = await served();
    const remote = client({ retryMs: 1, timeoutMs: 200 });
    await remote.append(event('a'));
    await server.close();
    await remote.flush();
    await remote.close();
    expect(await actions(log)).toEqual(['a']);
  });

  it('answers what is under way before it closes, and takes nothing more', async () => {
    const sink = new ScriptedSink('disk');
    const { log, server } = await served({ sinks: [sink] });
    const remote = client({ retryMs: 1, timeoutMs: 1_000 });
    await remote.ready();
    sink.hold();
    const appended = remote.append(event('a'));
    await until(() => server.stats().pending === 1);
    const closing = server.close();
    sink.release();
    expect(await appended).toMatchObject({ sequence: 1 });
    await closing;
    await expect(remote.append(event('b'))).rejects.toThrow('There is no socket');
    expect(await actions(log)).toEqual(['a']);
  });
});

/** A client that speaks for itself. */
async function raw(
  text: string | Buffer,
): Promise<{ socket: Socket; closed: Promise<void>; said: () => string }> {
  const socket = connect({ path });
  kept({ close: async () => socket.destroy() });
  let said = '';
  socket.on('data', (data) => {
    said += data;
  });
  socket.on('error', () => undefined);
  const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
  await new Promise((resolve) => socket.once('connect', resolve));
  socket.write(text);
  return { socket, closed, said: () => said };
}

const HELLO = '{"temperAudit":1,"client":"x"}\n';
const ID = '0190f3c2-7c4e-7a31-9d2b-3f1f0f6f0c1';

describe('a hostile client', () => {
  it.each<[string, string | Buffer]>([
    ['garbage', 'GET / HTTP/1.1\r\n\r\n'],
    ['bytes that are no text', Buffer.from([0xff, 0xfe, 0x0a])],
    ['another version', '{"temperAudit":2,"client":"x"}\n'],
    ['no request', `${HELLO}{"n":1}\n`],
    ['no object', `${HELLO}[]\n`],
    ['a huge number', `${HELLO}{"n":1e400,"do":"ready"}\n`],
    ['a wrong id', `${HELLO}{"n":1,"do":"store","quiet":true,"id":"1","event":{}}\n`],
    [
      'a wrong span',
      `${HELLO}{"n":1,"do":"store","quiet":true,"id":"${ID}1","event":{},"span":{"traceId":"x"}}\n`,
    ],
    [
      'losses that are no counts',
      `${HELLO}{"n":1,"do":"store","quiet":true,"id":"${ID}1","losses":{"refused":-1}}\n`,
    ],
    [
      'a wrong error',
      `${HELLO}{"n":1,"do":"store","quiet":true,"id":"${ID}1","event":{"error":{"name":1}}}\n`,
    ],
    ['a line without an end', Buffer.alloc(MAX_REQUEST_BYTES + 1, 0x20)],
  ])('that sends %s is disconnected, and others are served', async (_, text) => {
    const { log, server } = await served();
    const hostile = await raw(text);
    await hostile.closed;
    expect(server.stats()).toMatchObject({ expelled: 1, pending: 0 });
    await client().append(event('a'));
    expect(await actions(log)).toEqual(['a']);
  });

  it('cannot pass off an event as one of the log, nor an invalid one', async () => {
    const { log } = await served();
    const store = (n: number, fields: string): string =>
      `{"n":${n},"do":"store","quiet":true,"id":"${ID}${n}","event":{${fields}}}\n`;
    const own = '"eventType":"audit","action":"retire","resource":"r","status":"s"';
    const deep = `"eventType":"a","action":"b","resource":"r","status":"s","details":${'{"a":'.repeat(5_000)}1${'}'.repeat(5_000)}`;
    const { said } = await raw(HELLO + store(1, own) + store(2, '"action":5') + store(3, deep));
    await until(() => said().includes('"n":3'));
    expect(said()).toContain('reserved');
    const events = await log.getEvents(9);
    expect(events).toHaveLength(1);
    expect(JSON.stringify(events[0]?.details)).toContain('[too deep]');
  });

  it('that neither speaks, nor ends a line, nor reads is disconnected in time', async () => {
    const clock = new ManualClock();
    const { log, server } = await served(
      { sinks: [memorySink()] },
      { clock, clientTimeoutMs: 1_000 },
    );
    const silent = await raw('');
    const slow = await raw(`${HELLO}{"n":`);
    const deaf = await raw('');
    deaf.socket.pause();
    const big = 'x'.repeat(15_000);
    deaf.socket.write(HELLO);
    for (let n = 0; n < 1_000; n++) {
      const id = `${ID.slice(0, -3)}${String(n).padStart(4, '0')}`;
      deaf.socket.write(
        `{"n":${n},"do":"store","quiet":false,"id":"${id}","event":{"eventType":"a","action":"b","resource":"r","status":"s","details":{"big":"${big}"}}}\n`,
      );
    }
    await until(() => server.stats().clients === 3 && log.stats().stored > 0);
    // Its requests are taken as far as it reads the answers, for another second each time.
    for (let turn = 0; server.stats().expelled < 3 && turn < 1_000; turn++) {
      await stat(directory.path);
      await clock.advance(1_000);
    }
    expect(log.stats().stored).toBeLessThan(1_000);
    await Promise.all([silent.closed, slow.closed]);
    deaf.socket.resume();
    await deaf.closed;
    expect(server.stats()).toEqual({ clients: 0, pending: 0, expelled: 3 });
  });

  it('cannot take more connections than maxClients', async () => {
    const { server } = await served({ sinks: [memorySink()] }, { maxClients: 3 });
    const sockets = await Promise.all(Array.from({ length: 50 }, () => raw(HELLO)));
    await until(() => sockets.filter(({ socket }) => socket.destroyed).length === 47);
    expect(server.stats().clients).toBe(3);
    for (const { socket } of sockets) socket.destroy();
    await until(() => server.stats().clients === 0);
    expect(await client().append(event('a'))).toMatchObject({ sequence: 1 });
  });

  it('that floods the log delays others by no more than its share', async () => {
    const sink = new ScriptedSink('disk');
    const { log, server } = await served({ sinks: [sink] });
    const flood = client();
    await flood.ready();
    sink.hold();
    const floods = Array.from({ length: 3_000 }, () => flood.append(event('flood')));
    await until(() => server.stats().pending >= 256);
    const modest = client();
    const one = modest.append(event('modest'));
    await until(() => server.stats().pending > 256);
    sink.release();
    const { sequence } = await one;
    expect(sequence).toBeLessThanOrEqual(256 * 2 + 1);
    await Promise.all(floods);
    expect(log.stats().stored).toBe(3_001);
  });
});
