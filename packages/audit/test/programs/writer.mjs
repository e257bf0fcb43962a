// Appends to a log until it is killed, and prints each acknowledgement.
// Plain JavaScript with the built package, for a short startup.
import { randomBytes } from 'node:crypto';
import { writeSync } from 'node:fs';
import { auditLog, noteSigner } from '../../dist/index.js';
import { nodeFiles } from '../../dist/sinks/file/file-port.js';
import { fileSink } from '../../dist/sinks/file/index.js';
import { sqliteSink } from '../../dist/sinks/sqlite/index.js';

const { kind, location, secretKey, appenders, faults, fill } = JSON.parse(process.argv[2]);

/** The local file system with random I/O errors. */
function dyingDisk(share) {
  const maybe = () => {
    if (Math.random() < share) throw Object.assign(new Error('EIO: i/o error'), { code: 'EIO' });
  };
  const wrap = (file) => ({
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
        maxSegmentBytes: 32_768,
        ...(faults > 0 ? { files: dyingDisk(faults) } : {}),
      });
    case 'sqlite':
      return sqliteSink({ path: location });
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

const log = auditLog({
  sinks: [await sink()],
  sinkRetryMs: 1,
  checkpoints: { signer: noteSigner(secretKey), everyEvents: 50, everyMs: 20 },
});

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const isLocked = (error) => error.cause?.code === 'AUDIT_LOCKED';

// A database server may notice the end of the previous writer with a delay.
for (let tries = 0; ; tries++) {
  try {
    await log.ready();
    break;
  } catch (error) {
    if (faults === 0 && fill === 0 && (tries > 500 || !isLocked(error))) {
      console.error(error);
      process.exit(70);
    }
    if (!isLocked(error)) writeSync(1, 'refused\n'); // on a full disk it cannot even say what it repaired
    await pause(10);
  }
}
writeSync(1, 'ready\n');

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
      // Synchronous: data written to the pipe survives the process.
      writeSync(1, `${sequence} ${hash}\n`);
    } catch (error) {
      if (error.code !== 'AUDIT_UNAVAILABLE') {
        console.error(error);
        process.exit(71);
      }
      writeSync(1, 'refused\n');
      await pause(2);
    }
  }
}
for (let i = 0; i < appenders; i++) void append();
