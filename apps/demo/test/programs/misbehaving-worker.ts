import type { Assignment, Report } from '../../src/workers/messages.ts';
import { endWithParent } from '../../src/workers/parent.ts';

/** A worker that does what the source of a program names. */
const DEEDS: Readonly<Record<string, () => unknown>> = {
  answer: () => ({ c: String(process.pid) }),
  hang: () => {
    for (;;);
  },
  objects: () => {
    const kept: object[] = [];
    for (;;) kept.push({ kept: [kept.length] });
  },
  // A table that outgrows what V8 can allocate ends a whole process, not a thread.
  table: () => {
    const kept = new Map<number, number>();
    for (;;) kept.set(kept.size, 1);
  },
  exit: () => process.exit(3),
  abort: () => process.abort(),
  environment: () => ({ c: JSON.stringify({ env: process.env, argv: process.execArgv }) }),
};

const send = (report: Report): void => {
  process.send?.(report);
};

endWithParent();
process.on('SIGTERM', () => undefined);
process.on('message', (assignment: Assignment) => {
  if (assignment === 'end') process.exit();
  const { id, job } = assignment;
  const { source } = job.input as { readonly source: string };
  if (source === 'throw') {
    const stack = `TypeError: secret\n    at /srv/inner/file.js:1:1`;
    const outcome = { ok: false, error: { name: 'TypeError', stack } } as const;
    send({ type: 'done', id, outcome, full: false });
    return;
  }
  const value = DEEDS[source.replace('full ', '')]?.() as { readonly c: string };
  send({ type: 'done', id, outcome: { ok: true, value }, full: source.startsWith('full') });
});
send({ type: 'ready' });
