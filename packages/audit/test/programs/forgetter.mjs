// Seals and forgets without end, and prints what was promised: `sealed <subject> <text>` after a value was
// sealed, `forgotten <subject>` after its key was destroyed. Killed by the test.
import { fileKeyStore, subjectKeys } from '../../dist/erasure/index.js';

const [directory, prefix] = process.argv.slice(2);
const keys = subjectKeys({ store: fileKeyStore({ directory }) });
for (let i = 0; ; i++) {
  const subject = `${prefix}-${i}`;
  process.stdout.write(`sealed ${subject} ${await keys.seal(subject, subject)}\n`);
  if (i % 3 === 2) continue; // some are kept
  await keys.forget(subject);
  process.stdout.write(`forgotten ${subject}\n`);
}
