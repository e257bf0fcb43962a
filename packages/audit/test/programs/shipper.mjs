// Appends to a log and ships it, without end; the target is a file that is appended to. Killed by the test.
import { appendFileSync } from 'node:fs';
import { join } from 'node:path';
import { auditLog } from '../../dist/index.js';
import { fileCursor, ship } from '../../dist/ship/index.js';
import { fileSink } from '../../dist/sinks/file/index.js';

const [directory, appends] = process.argv.slice(2);
const log = auditLog({
  sinks: [fileSink({ directory: join(directory, 'log'), maxSegmentBytes: 8_192 })],
});
async function target(batch) {
  appendFileSync(join(directory, 'received'), batch.map(({ line }) => `${line}\n`).join(''));
}
const cursor = fileCursor({ path: join(directory, 'cursor') });
await log.ready();
const shipping = ship(log, target, { cursor, batchEvents: 7 });
process.stdout.write('ready\n');
const event = { eventType: 'o', action: 'a', resource: 'r', status: 's' };
for (let i = 0; i < Number(appends); i++) {
  await log.append(event);
  if (i % 10 === 0) await shipping.flush();
}
await shipping.flush();
await shipping.close();
await log.close();
