import type { Call } from '../src/call/context.ts';
import { PolicyBase } from '../src/call/enter.ts';
import type { Clock } from '../src/clock.ts';
import type { Operation } from '../src/contract.ts';

/** The smallest policy: it calls the operation, and remembers the calls. */
export class ThroughPolicy extends PolicyBase {
  readonly calls: Call[] = [];

  constructor(clock: Clock) {
    super('through', clock);
  }

  async runInCall<T>(operation: Operation<T>, call: Call): Promise<T> {
    this.calls.push(call);
    return operation(call);
  }

  stats(): object {
    return { calls: this.calls.length };
  }

  [Symbol.dispose](): void {}
}
