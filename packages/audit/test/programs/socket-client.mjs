// Appends to a served log until it is killed, and prints each acknowledgement.
import { writeSync } from 'node:fs';
import { socketLog } from '../../dist/socket/index.js';

const { path, appenders } = JSON.parse(process.argv[2]);
const log = socketLog({ path, retryMs: 5 });
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
let made = 0;

async function append() {
  for (;;) {
    try {
      const { sequence, hash } = await log.append({
        eventType: 'kill',
        action: `append ${made++}`,
        resource: `process ${process.pid}`,
        status: 'success',
      });
      writeSync(1, `${sequence} ${hash}\n`);
    } catch (error) {
      if (error.code !== 'AUDIT_UNAVAILABLE') throw error;
      writeSync(1, 'refused\n');
      await pause(5);
    }
  }
}
for (let i = 0; i < appenders; i++) void append();
