import type { AuditSink } from '@temper/audit/sink';

/** A sink that can simulate a full disk. */
export interface FillableSink extends AuditSink {
  full: boolean;
  /** Number of writes that failed because `full` was set. */
  readonly refused: number;
}

/** Wraps a sink so that its writes fail with ENOSPC while `full` is set. */
export function fillable(sink: AuditSink): FillableSink {
  let refused = 0;
  const guard = <T>(call: string, work: () => Promise<T>): Promise<T> => {
    if (!fillableSink.full) return work();
    refused += 1;
    return Promise.reject(noSpace(call));
  };
  const fillableSink: FillableSink = {
    name: sink.name,
    durable: sink.durable,
    full: false,
    get refused() {
      return refused;
    },
    open: (log) => sink.open(log),
    write: (batch) => guard('write', () => sink.write(batch)),
    close: () => sink.close(),
    ...(sink.saveCheckpoint === undefined
      ? {}
      : {
          saveCheckpoint: (checkpoint) =>
            guard('write', () => sink.saveCheckpoint?.(checkpoint) ?? Promise.resolve()),
        }),
    ...(sink.source === undefined ? {} : { source: sink.source }),
  };
  return fillableSink;
}

function noSpace(syscall: string): Error {
  const error = new Error(`ENOSPC: no space left on device, ${syscall}`);
  return Object.assign(error, { code: 'ENOSPC', errno: -28, syscall });
}
