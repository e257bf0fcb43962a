import type { Call } from '../src/call/context.ts';
import { PolicyBase } from '../src/call/enter.ts';
import { invoke } from '../src/call/timeout.ts';
import type { Clock } from '../src/clock.ts';
import type { Operation } from '../src/contract.ts';

/** The smallest policy: it calls the operation, and remembers the calls. */
export class ThroughPolicy extends PolicyBase {
  readonly calls: Call[] = [];

  constructor(clock: Clock) {
    super('through', clock);
  }

  runInCall<T>(operation: Operation<T>, call: Call): Promise<T> {
    this.calls.push(call);
    return invoke(operation, call);
  }

  stats(): object {
    return { calls: this.calls.length };
  }

  [Symbol.dispose](): void {}
}
