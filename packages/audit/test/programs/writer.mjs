// Appends to a log until it is killed, and prints each acknowledgement.
// Plain JavaScript with the built package, for a short startup.
import { randomBytes } from 'node:crypto';
import { writeSync } from 'node:fs';
import { systemClock } from '@temper/core';
import { auditLog, noteSigner } from '../../dist/index.js';
import { nodeFiles } from '../../dist/sinks/file/file-port.js';
import { fileSink } from '../../dist/sinks/file/index.js';
import { sqliteSink } from '../../dist/sinks/sqlite/index.js';

const { kind, location, secretKey, appenders, faults, fill, maxSegments, signMs, jumps, patient } =
  JSON.parse(process.argv[2]);

/** A clock that jumps ahead by a year at random, and back again. */
function jumpingClock() {
  let step = 0;
  return {
    ...systemClock,
    monotonic: () => systemClock.monotonic(),
    sleep: (...args) => systemClock.sleep(...args),
    schedule: (...args) => systemClock.schedule(...args),
    now: () => {
      if (Math.random() < 0.01) step = step === 0 ? 31_536_000_000 : 0;
      return systemClock.now() + step;
    },
  };
}
const clock = jumps ? jumpingClock() : systemClock;

/** Synchronous: data written to the pipe survives the process. The pipe may be full for a moment. */
function say(text) {
  for (;;) {
    try {
      writeSync(1, text);
      return;
    } catch (error) {
      if (error.code !== 'EAGAIN') throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);
    }
  }
}

/** The local file system with random I/O errors. */
function dyingDisk(share) {
  const maybe = () => {
    if (Math.random() < share) throw Object.assign(new Error('EIO: i/o error'), { code: 'EIO' });
  };
  const wrap = (file) => ({
    identity: file.identity,
    get size() {
      return file.size;
    },
    append: async (bytes) => {
      maybe();
      await file.append(bytes);
      maybe(); // the bytes are written, but the write is reported as failed
    },
    sync: async () => {
      await file.sync();
      maybe();
    },
    truncate: async (size) => {
      maybe();
      await file.truncate(size);
    },
    close: () => file.close(),
  });
  const guard =
    (work) =>
    async (...args) => {
      maybe();
      return work(...args);
    };
  return {
    ...nodeFiles,
    create: async (path) => {
      maybe();
      return wrap(await nodeFiles.create(path));
    },
    openToAppend: async (path) => {
      maybe();
      return wrap(await nodeFiles.openToAppend(path));
    },
    rename: guard(nodeFiles.rename),
    syncDirectory: guard(nodeFiles.syncDirectory),
  };
}

async function sink() {
  switch (kind) {
    case 'file':
      return fileSink({
        directory: location,
        maxSegmentBytes: maxSegments === undefined && !jumps ? 32_768 : 4_096,
        clock,
        ...(maxSegments === undefined ? {} : { maxSegments }),
        ...(jumps ? { maxAgeMs: 2_592_000_000 } : {}),
        ...(faults > 0 ? { files: dyingDisk(faults) } : {}),
      });
    case 'sqlite':
      return sqliteSink({
        path: location,
        clock,
        ...(maxSegments === undefined ? {} : { maxEvents: maxSegments * 20 }),
        ...(jumps ? { maxAgeMs: 2_592_000_000 } : {}),
      });
    case 'postgres': {
      const { postgresSink } = await import('../../dist/sinks/postgres/index.js');
      const { default: pg } = await import('pg');
      const pool = new pg.Pool({ connectionString: location, max: 3 });
      pool.on('error', () => undefined);
      return postgresSink({ pool, writer: 'killed' });
    }
    default:
      throw new Error(`no sink ${kind}`);
  }
}

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** A signer that takes its time. */
function slow(signer) {
  if (!signMs) return signer;
  return {
    ...signer,
    sign: async (data) => {
      await pause(Math.random() * signMs);
      return signer.sign(data);
    },
  };
}

const log = auditLog({
  sinks: [await sink()],
  sinkRetryMs: 1,
  clock,
  checkpoints: { signer: slow(noteSigner(secretKey)), everyEvents: 50, everyMs: 20 },
});

const isLocked = (error) => error.cause?.code === 'AUDIT_LOCKED';

// A database server may notice the end of the previous writer with a delay.
for (let tries = 0; ; tries++) {
  try {
    await log.ready();
    break;
  } catch (error) {
    if (!patient && faults === 0 && fill === 0 && (tries > 500 || !isLocked(error))) {
      console.error(error);
      process.exit(70);
    }
    if (!isLocked(error)) say('refused\n'); // on a full disk it cannot even say what it repaired
    await pause(10);
  }
}
say('ready\n');

let made = 0;
async function append() {
  for (;;) {
    const number = made++;
    try {
      const { sequence, hash } = await log.append({
        eventType: 'kill',
        action: `append ${number}`,
        resource: `process ${process.pid}`,
        status: 'success',
        // Random, so that compression does not keep the disk from filling up.
        details: { fill: randomBytes(fill + (number % 97)).toString('base64') },
      });
      say(`${sequence} ${hash}\n`);
    } catch (error) {
      if (error.code !== 'AUDIT_UNAVAILABLE') {
        console.error(error);
        process.exit(71);
      }
      say('refused\n');
      await pause(2);
    }
  }
}
for (let i = 0; i < appenders; i++) void append();
