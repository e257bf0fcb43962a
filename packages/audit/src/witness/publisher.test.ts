import { cpSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ManualClock, settle } from '@temper/testkit';
import { describe, expect, it } from 'vitest';
import { temporaryDirectory } from '../../test/temporary-directory.ts';
import { VersionedBucket } from '../../test/versioned-bucket.ts';
import { checkpointOf, listening, logKey, runningWitness, treeOf } from '../../test/witnessed.ts';
import { signNote } from '../chain/signed-note.ts';
import { generateSigningKey, noteSigner } from '../chain/signing-key.ts';
import type { AuditLog } from '../log/audit-log.ts';
import { auditLog } from '../log/durable-log.ts';
import type { CheckpointOptions } from '../log/options.ts';
import { fileSink } from '../sinks/file/file-sink.ts';
import { cosigner } from './cosignature.ts';
import { fileStore } from './file-store.ts';
import { httpStore } from './http-store.ts';
import { httpWitness } from './http-witness.ts';
import { objectLockStore } from './object-lock-store.ts';
import { type CheckpointPublisher, checkpointPublisher } from './publisher.ts';
import type { PublisherOptions } from './publisher-options.ts';

const event = { eventType: 'o', action: 'a', resource: 'r', status: 's' };
const keys = [logKey.verifierKey];
const noProof = async (): Promise<readonly Buffer[]> => [];

interface Published extends AsyncDisposable {
  readonly log: AuditLog;
  readonly publisher: CheckpointPublisher;
  /** Appends events and signs a checkpoint, which is published. */
  add(events: number): Promise<string>;
}

function published(
  directory: string,
  options: Partial<PublisherOptions>,
  checkpoints: Partial<CheckpointOptions> = {},
): Published {
  const publisher = checkpointPublisher({ keys, source: () => log.source, ...options });
  let last: Promise<string> = Promise.resolve('');
  const log: AuditLog = auditLog({
    sinks: [fileSink({ directory })],
    checkpoints: {
      signer: noteSigner(logKey.secretKey),
      everyMs: Number.POSITIVE_INFINITY,
      last: publisher.last,
      publish: (note) => {
        last = publisher.publish(note);
        return last;
      },
      ...checkpoints,
    },
  });
  const add = async (events: number): Promise<string> => {
    for (let i = 0; i < events; i++) await log.append(event);
    await log.checkpoint();
    return last;
  };
  return { log, publisher, add, [Symbol.asyncDispose]: () => log.close().catch(() => undefined) };
}

describe('checkpoints of a log', () => {
  it('are cosigned, stored and held against it, over a restart too', async () => {
    using directory = temporaryDirectory();
    using elsewhere = temporaryDirectory();
    await using running = await runningWitness();
    const options = {
      witnesses: [httpWitness({ url: running.url, key: running.verifierKey })],
      stores: [fileStore({ directory: join(elsewhere.path, 'held') })],
    };
    {
      await using first = published(directory.path, options);
      expect(await first.add(5)).toContain('— witness.example/w1 ');
      await first.add(3);
    }
    await using second = published(directory.path, options);
    await second.add(4);
    const held = await second.publisher.held();
    expect(held.witnessed).toBe(12);
    expect(held.cosignatures.map(({ witness }) => witness)).toEqual(['witness.example/w1']);
    const report = await second.log.verify({ keys, checkpoints: held.checkpoints });
    expect(report).toMatchObject({ verdict: 'valid', checkpoints: { covered: 12 } });
    expect(running.conflicts).toEqual([]);
    expect(readdirSync(join(elsewhere.path, 'held'))).toHaveLength(3);
  });

  it.each<[string, number]>([
    ['rolled back', 6],
    ['rewritten from the start', 9],
    ['rewritten from the start and longer', 14],
  ])('reveal, by a witness alone, a log that its owner has %s with its key', async (_, events) => {
    await using running = await runningWitness();
    const witnesses = [httpWitness({ url: running.url, key: running.verifierKey })];
    {
      using directory = temporaryDirectory();
      await using honest = published(directory.path, { witnesses });
      await honest.add(9);
    }
    // The adversary has the disk and the key: a new log in the place of the old one.
    using forged = temporaryDirectory();
    await using log = published(forged.path, { witnesses });
    for (let i = 0; i < events; i++) await log.log.append(event);
    await expect(log.log.checkpoint()).rejects.toMatchObject({ code: 'AUDIT_CORRUPT' });
    // Without `last` the writer signs, but the witness does not.
    await log.log.close().catch(() => undefined);
    const reasons: string[] = [];
    await using again = published(
      forged.path,
      { witnesses, onError: ({ reason }) => reasons.push(reason) },
      { last: () => undefined },
    );
    await expect(again.add(0)).rejects.toMatchObject({ code: 'AUDIT_WITNESS' });
    expect(reasons).toEqual([events < 9 ? 'rollback' : 'fork']);
    const { checkpoints } = await again.publisher.held();
    const report = await again.log.verify({ keys, checkpoints });
    expect(report.verdict).toBe('invalid');
  });

  it('do not reveal what was changed after the last cosignature', async () => {
    using directory = temporaryDirectory();
    using forged = temporaryDirectory();
    await using running = await runningWitness();
    const witnesses = [httpWitness({ url: running.url, key: running.verifierKey })];
    {
      await using honest = published(directory.path, { witnesses });
      await honest.add(5);
    }
    cpSync(directory.path, forged.path, { recursive: true });
    await using honest = published(directory.path, { witnesses });
    for (let i = 0; i < 3; i++) await honest.log.append(event);
    await using log = published(forged.path, { witnesses });
    await log.log.append({ ...event, action: 'forged' });
    const { checkpoints } = await log.publisher.held();
    expect(await log.log.verify({ keys, checkpoints })).toMatchObject({
      verdict: 'valid',
      last: 6,
    });
  });

  it('reveal the log of another origin in the place of this one', async () => {
    const logs = ['example.com/log', 'example.com/b'].map((origin) => ({ origin, keys }));
    await using running = await runningWitness({ logs });
    const witnesses = [httpWitness({ url: running.url, key: running.verifierKey })];
    using one = temporaryDirectory();
    using other = temporaryDirectory();
    {
      await using a = published(one.path, { witnesses });
      await a.add(3);
      await using b = published(
        other.path,
        { witnesses, origin: 'example.com/b' },
        { origin: 'example.com/b' },
      );
      await b.add(4);
    }
    await using swapped = published(other.path, { witnesses });
    await swapped.log.append(event);
    await expect(swapped.log.checkpoint()).rejects.toThrow('does not match the published');
  });

  it('need a quorum of witnesses, and report the ones that fail', async () => {
    using directory = temporaryDirectory();
    await using one = await runningWitness();
    await using two = await runningWitness({ key: generateSigningKey('witness.example/w2') });
    const down = cosigner(generateSigningKey('witness.example/w3').secretKey).verifierKey;
    const failed: string[] = [];
    const options = (quorum: number): Partial<PublisherOptions> => ({
      witnesses: [
        httpWitness({ url: one.url, key: one.verifierKey }),
        httpWitness({ url: two.url, key: two.verifierKey }),
        httpWitness({ url: 'http://127.0.0.1:1', key: down }),
      ],
      quorum,
      onError: ({ witness }) => failed.push(witness),
    });
    {
      await using log = published(directory.path, options(2));
      expect((await log.add(3)).match(/^— witness/gm)).toHaveLength(2);
      expect((await log.publisher.held()).witnessed).toBe(3);
      expect(new Set(failed)).toEqual(new Set(['witness.example/w3']));
    }
    await using log = published(directory.path, options(3), { last: () => undefined });
    await expect(log.add(1)).rejects.toMatchObject({ reason: 'unavailable' });
    await expect(log.publisher.last()).rejects.toMatchObject({ reason: 'unavailable' });
  });

  it('are published one at a time, and only the latest waits', async () => {
    const sizes: number[] = [];
    const gates: (() => void)[] = [];
    const publisher = checkpointPublisher({
      keys,
      stores: [
        {
          name: 's',
          put: async (_, { size }) => {
            sizes.push(size);
            await new Promise<void>((resolve) => gates.push(resolve));
          },
          async *latest() {},
        },
      ],
    });
    const notes = await Promise.all([1, 2, 3, 4, 5].map((size) => checkpointOf(treeOf(size))));
    const first = publisher.publish(notes[0] as string);
    await settle();
    const rest = notes.slice(1).map((note) => publisher.publish(note));
    await settle();
    expect(new Set(rest).size).toBe(1);
    gates[0]?.();
    await first;
    await settle();
    gates[1]?.();
    expect(await Promise.all(rest)).toEqual(Array(4).fill(notes[4]));
    expect(sizes).toEqual([1, 5]);
  });

  it('are published again after a failure', async () => {
    let fail = true;
    const stored: string[] = [];
    const publisher = checkpointPublisher({
      keys,
      stores: [
        {
          name: 's',
          put: async (note) => {
            if (fail) throw new Error('disk full');
            stored.push(note);
          },
          async *latest() {},
        },
      ],
    });
    const note = await checkpointOf(treeOf(1));
    await expect(publisher.publish(note)).rejects.toMatchObject({ reason: 'unavailable' });
    fail = false;
    await publisher.publish(note);
    expect(stored).toEqual([note]);
  });

  it('are refused if the log has not signed them', async () => {
    const other = generateSigningKey('example.com/log').secretKey;
    const publisher = checkpointPublisher({
      keys,
      stores: [fileStore({ directory: '/nowhere/x' })],
    });
    const note = await checkpointOf(treeOf(1), 'example.com/log', other);
    await expect(publisher.publish(note)).rejects.toThrow('No known key');
  });
});

describe('the answer of a witness', () => {
  const key = cosigner(generateSigningKey('witness.example/w1').secretKey);

  async function asked(
    answer: (body: string, respond: (status: number, body: string, type?: string) => void) => void,
  ): Promise<{ readonly reason: string; readonly message: string }> {
    await using server = await listening((request, response) => {
      let body = '';
      request.on('data', (data) => {
        body += data;
      });
      request.on('end', () => {
        answer(body, (status, text, type = 'text/plain') => {
          response.writeHead(status, { 'content-type': type, location: 'http://127.0.0.1:1/' });
          response.end(text);
        });
      });
    });
    const witness = httpWitness({ url: server.url, key: key.verifierKey });
    return await witness.cosign(await checkpointOf(treeOf(5)), noProof).then(
      () => {
        throw new Error('The answer was accepted.');
      },
      (error) => error,
    );
  }

  /** An answer that cosigns another text. */
  async function cosignatureOf(text: string, signer = key): Promise<string> {
    return `${(await signNote(text, [signer])).split('\n\n')[1]}`;
  }

  it('is refused when it is empty, junk, or a signature of another key or text', async () => {
    const stranger = cosigner(generateSigningKey('witness.example/w1').secretKey);
    const own = (await checkpointOf(treeOf(5))).split('\n\n')[0];
    const replayed = await cosignatureOf(`${(await checkpointOf(treeOf(4))).split('\n\n')[0]}\n`);
    const foreign = await cosignatureOf(`${own}\n`, stranger);
    for (const text of ['', '\n', 'ok', '— a b\n', replayed, foreign, `${'— x y\n'.repeat(200)}`]) {
      expect(await asked((_, respond) => respond(200, text))).toMatchObject({ reason: 'hostile' });
    }
  });

  it('is accepted beside lines of other keys', async () => {
    const stranger = cosigner(generateSigningKey('other.example/w').secretKey);
    await using server = await listening((request, response) => {
      let body = '';
      request.on('data', (data) => {
        body += data;
      });
      request.on('end', async () => {
        const text = `${body.split('\n\n')[1]}\n`;
        response.end((await cosignatureOf(text, stranger)) + (await cosignatureOf(text)));
      });
    });
    const witness = httpWitness({ url: server.url, key: key.verifierKey });
    const cosignature = await witness.cosign(await checkpointOf(treeOf(5)), noProof);
    expect(cosignature.witness).toBe('witness.example/w1');
  });

  it('is not read beyond its limit, nor after its time', async () => {
    expect(await asked((_, respond) => respond(200, 'x'.repeat(10_000_000)))).toMatchObject({
      reason: 'unavailable',
      message: expect.stringContaining('larger than 65536 bytes'),
    });
    const clock = new ManualClock();
    let arrived = (): void => undefined;
    const requested = new Promise<void>((resolve) => {
      arrived = resolve;
    });
    await using server = await listening((_, response) => {
      response.write('— '); // and never more
      arrived();
    });
    const witness = httpWitness({ url: server.url, key: key.verifierKey, clock, timeoutMs: 500 });
    const cosigned = witness.cosign(await checkpointOf(treeOf(5)), noProof);
    const failed = expect(cosigned).rejects.toThrow('no answer within 500 ms');
    await requested;
    await clock.advance(500);
    await failed;
  });

  it('is followed to no other address', async () => {
    expect(await asked((_, respond) => respond(307, ''))).toMatchObject({ reason: 'unavailable' });
  });

  it.each([
    [409, '7', 'hostile'],
    [409, 'many\n', 'hostile'],
    [409, '99999999999999999999\n', 'hostile'],
    [400, 'no', 'refused'],
    [403, 'no', 'refused'],
    [404, 'no', 'refused'],
    [422, 'no', 'fork'],
    [429, 'slow down', 'unavailable'],
    [500, 'broken', 'unavailable'],
    [204, '', 'unavailable'],
  ] as const)('%i with %j means %s', async (status, text, reason) => {
    expect(await asked((_, respond) => respond(status, text, 'text/x.tlog.size'))).toMatchObject({
      reason,
    });
  });

  it('409 without the type of a size is hostile, and so is one that changes without end', async () => {
    expect(await asked((_, respond) => respond(409, '3\n'))).toMatchObject({ reason: 'hostile' });
    let size = 0;
    const changing = await asked((_, respond) => respond(409, `${++size}\n`, 'text/x.tlog.size'));
    expect(changing).toMatchObject({ reason: 'hostile' });
    expect(size).toBe(3);
  });

  it('is quoted without what a terminal obeys, and in part', async () => {
    const { message } = await asked((_, respond) => respond(403, `\u001b[2J${'x'.repeat(5_000)}`));
    expect(message).not.toContain('\u001b');
    expect(message.length).toBeLessThan(400);
  });
});

describe('a store', () => {
  it('on files keeps every checkpoint, and none is replaced', async () => {
    using elsewhere = temporaryDirectory();
    const directory = join(elsewhere.path, 'held');
    const publisher = checkpointPublisher({ keys, stores: [fileStore({ directory })] });
    const note = await checkpointOf(treeOf(2));
    await publisher.publish(note);
    await publisher.publish(note);
    await publisher.publish(await checkpointOf(treeOf(10)));
    expect(await publisher.last()).toBe(await checkpointOf(treeOf(10)));
    const fork = publisher.publish(await checkpointOf(treeOf(2, 'x')));
    await expect(fork).rejects.toMatchObject({ reason: 'fork' });
    // What the log has not signed is skipped.
    writeFileSync(join(directory, `checkpoint-${'9'.repeat(16)}`), 'junk');
    expect(await publisher.last()).toBe(await checkpointOf(treeOf(10)));
    expect(readdirSync(directory).filter((name) => name.endsWith('.tmp'))).toEqual([]);
  });

  it('on a file system that is not mounted is unavailable', async () => {
    using elsewhere = temporaryDirectory();
    const directory = join(elsewhere.path, 'not mounted', 'held');
    const publisher = checkpointPublisher({ keys, stores: [fileStore({ directory })] });
    const note = await checkpointOf(treeOf(2));
    await expect(publisher.publish(note)).rejects.toMatchObject({ reason: 'unavailable' });
    await expect(publisher.last()).rejects.toMatchObject({ reason: 'unavailable' });
  });

  it('on another host gets each note, with headers, and gives back the last', async () => {
    const stored: string[] = [];
    await using server = await listening((request, response) => {
      if (request.headers.authorization !== 'Bearer t') {
        response.writeHead(401).end('who are you');
        return;
      }
      if (request.method === 'GET') {
        response.writeHead(stored.length > 0 ? 200 : 404).end(stored.at(-1));
        return;
      }
      request.on('data', (data) => stored.push(String(data)));
      request.on('end', () => response.writeHead(201).end());
    });
    const store = httpStore({ url: server.url, headers: { authorization: 'Bearer t' } });
    const publisher = checkpointPublisher({ keys, stores: [store] });
    expect(await publisher.last()).toBeUndefined();
    const note = await checkpointOf(treeOf(2));
    await publisher.publish(note);
    expect(await publisher.last()).toBe(note);
    const stranger = checkpointPublisher({ keys, stores: [httpStore({ url: server.url })] });
    await expect(stranger.publish(note)).rejects.toMatchObject({ reason: 'refused' });
    await expect(stranger.last()).rejects.toThrow('401: who are you');
  });

  it('under Object Lock is read by version, so that nothing hides a checkpoint', async () => {
    const clock = new ManualClock();
    const bucket = new VersionedBucket(clock);
    const store = objectLockStore({ client: bucket, retainDays: 30, clock });
    const publisher = checkpointPublisher({ keys, stores: [store] });
    const notes = await Promise.all([1, 9, 10, 250].map((size) => checkpointOf(treeOf(size))));
    for (const note of notes) await publisher.publish(note);
    expect(await publisher.last()).toBe(notes.at(-1));
    // An adversary with the machine's credentials: overwrites, marks as deleted, deletes, adds junk.
    const [key = ''] = bucket.keys();
    await bucket.put({ ...bucket.inputOf(key), Body: 'junk' });
    bucket.markDeleted(key);
    expect(() => bucket.deleteVersion(key, 0)).toThrow('AccessDenied');
    for (let i = 0; i < 150; i++) {
      await bucket.put({ ...bucket.inputOf(key), Key: `checkpoints/0${i}`, Body: 'junk' });
    }
    expect(await publisher.last()).toBe(notes.at(-1));
    await bucket.put({ ...bucket.inputOf(key), Body: await checkpointOf(treeOf(250, 'x')) });
    await expect(publisher.last()).rejects.toMatchObject({ reason: 'fork' });
    clock.adjustWallClock(31 * 86_400_000);
    bucket.deleteVersion(key, 0);
  });

  it('under Object Lock that is flooded with junk is unavailable', async () => {
    const clock = new ManualClock();
    const bucket = new VersionedBucket(clock);
    const publisher = checkpointPublisher({
      keys,
      stores: [objectLockStore({ client: bucket, clock })],
    });
    await publisher.publish(await checkpointOf(treeOf(1)));
    const [key = ''] = bucket.keys();
    for (let i = 0; i < 1_001; i++) {
      await bucket.put({ ...bucket.inputOf(key), Key: `checkpoints/0${i}`, Body: 'junk' });
    }
    await expect(publisher.last()).rejects.toThrow('none of the first 1000 versions');
  });
});

it('two places that contradict each other are a fork', async () => {
  using one = temporaryDirectory();
  using other = temporaryDirectory();
  const stores = [one, other].map(({ path }) => fileStore({ directory: path }));
  for (const [i, store] of stores.entries()) {
    const publisher = checkpointPublisher({ keys, stores: [store] });
    await publisher.publish(await checkpointOf(treeOf(4, String(i))));
  }
  await expect(checkpointPublisher({ keys, stores }).last()).rejects.toMatchObject({
    reason: 'fork',
  });
});

describe.each<[string, (options: never) => unknown, object]>([
  ['checkpointPublisher', checkpointPublisher, { keys, stores: [fileStore({ directory: 'x' })] }],
  ['fileStore', fileStore, { directory: 'x' }],
  ['httpStore', httpStore, { url: 'https://example.com/x' }],
  ['objectLockStore', objectLockStore, { client: new VersionedBucket(new ManualClock()) }],
  ['httpWitness', httpWitness, { url: 'https://w', key: cosigner(logKey.secretKey).verifierKey }],
])('options of %s', (_, make, valid) => {
  it('are checked', () => {
    make(valid as never);
    for (const wrong of [null, 5, {}, { ...valid, misspelt: 1 }]) {
      expect(() => make(wrong as never)).toThrow(TypeError);
    }
  });
});

it.each<[(options: never) => unknown, object]>([
  [httpStore, { url: 'ftp://example.com' }],
  [httpStore, { url: 'https://u:p@example.com' }],
  [httpStore, { url: 'x' }],
  [httpWitness, { url: 'https://w', key: logKey.verifierKey }],
  [checkpointPublisher, { keys: [], stores: [fileStore({ directory: 'x' })] }],
  [checkpointPublisher, { keys }],
  [checkpointPublisher, { keys, stores: [{}] }],
])('%o refuses %j', (make, options) => {
  expect(() => make(options as never)).toThrow(TypeError);
});
