import { ManualClock, settle } from '@temper/testkit/clock';
import { Reach } from '@temper/testkit/repository/reach';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ScriptedSink } from '../../test/scripted-sink.ts';
import type { AuditEvent } from '../chain/event.ts';
import { AuditLossError } from '../errors.ts';
import { verifyLog } from '../read/verify.ts';
import type { AuditLog } from './audit-log.ts';
import { auditLog } from './durable-log.ts';
import type { AuditLogOptions } from './options.ts';
import type { SinkRule } from './sink-rule.ts';

type Step =
  | { readonly kind: 'append' | 'record'; readonly count: number }
  | { readonly kind: 'fail' | 'lose answers' | 'lock' | 'hold' | 'heal'; readonly sink: number }
  | { readonly kind: 'wait'; readonly ms: number }
  | { readonly kind: 'flush' | 'restart' };

const sink = fc.nat(2);
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constantFrom('append', 'record'),
      count: fc.integer({ min: 1, max: 9 }),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constantFrom('fail', 'lose answers', 'lock', 'hold'), sink }),
  },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('heal'), sink }) },
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constant('wait'), ms: fc.constantFrom(1, 250, 600) }),
  },
  {
    weight: 1,
    arbitrary: fc.constantFrom({ kind: 'flush' } as const, { kind: 'restart' } as const),
  },
) as fc.Arbitrary<Step>;

const options: fc.Arbitrary<AuditLogOptions> = fc.record({
  rule: fc.constantFrom<SinkRule>('all', 'any', { quorum: 2 }),
  whenUnavailable: fc.constantFrom('refuse', 'degrade'),
  holdLimit: fc.constantFrom(3, 1_000),
  queueLimit: fc.constantFrom(4, 1_000),
});

function heal(target: ScriptedSink): void {
  target.failWith = target.failAfterStoring = target.failOpenWith = undefined;
  target.release();
}

const reach = new Reach('acknowledged', 'refused', 'degraded', 'lost', 'restarted', 'waited');

/** The log under test and the events it has acknowledged. */
class Model {
  readonly clock = new ManualClock();
  readonly sinks: readonly ScriptedSink[];
  readonly required: number;
  /** Acknowledged events that have a sequence. */
  readonly acknowledged = new Map<number, string>();
  readonly violations: string[] = [];
  /** Events that the log has accepted, whether or not they were durable then. */
  readonly accepted: string[] = [];
  /** Lost events by the report of `flush`. */
  lost = 0;
  log: AuditLog;
  readonly #options: AuditLogOptions;
  #made = 0;

  constructor(chosen: AuditLogOptions) {
    this.sinks = ['a', 'b', 'c'].map((name) => new ScriptedSink(name));
    this.required = chosen.rule === 'any' ? 1 : chosen.rule === 'all' ? 3 : 2;
    this.#options = {
      ...chosen,
      clock: this.clock,
      sinks: this.sinks,
      sinkRetryMs: 250,
      sinkTimeoutMs: 500,
    };
    this.log = auditLog(this.#options);
  }

  append(): void {
    const action = `n${this.#made++}`;
    this.log.append({ eventType: 'e', action, resource: 'r', status: 's' }).then(
      ({ sequence }) => {
        this.accepted.push(action);
        if (sequence === 0) return;
        if (this.#options.whenUnavailable === 'degrade' && this.log.stats().degraded > 0) return;
        this.acknowledged.set(sequence, action);
        reach.count('acknowledged');
        const holders = this.sinks.filter(({ lines }) => lines.length >= sequence).length;
        if (holders < this.required)
          this.violations.push(`${action} acknowledged with ${holders} holders`);
      },
      () => reach.count('refused'),
    );
  }

  async take(action: Step): Promise<void> {
    const target = this.sinks['sink' in action ? action.sink : 0] as ScriptedSink;
    switch (action.kind) {
      case 'append':
        for (let i = 0; i < action.count; i++) this.append();
        break;
      case 'record':
        for (let i = 0; i < action.count; i++) {
          const name = `n${this.#made++}`;
          this.log.record({ eventType: 'e', action: name, resource: 'r', status: 's' });
          this.accepted.push(name);
        }
        break;
      case 'fail':
        target.failWith = new Error('full');
        break;
      case 'lose answers':
        target.failAfterStoring = new Error('reset');
        break;
      case 'lock':
        target.failOpenWith = new Error('locked');
        break;
      case 'hold':
        target.hold();
        break;
      case 'heal':
        heal(target);
        break;
      case 'wait':
        await this.clock.advance(action.ms);
        break;
      case 'flush':
        void this.flush();
        break;
      case 'restart':
        await this.recover();
        await this.log.close();
        this.log = auditLog(this.#options);
        reach.count('restarted');
        break;
    }
    await settle();
    const { degraded, pending } = this.log.stats();
    reach.count('degraded', degraded > 0);
    reach.count('waited', pending > 0);
  }

  /** Repairs all sinks and waits until the log has recovered. */
  async recover(): Promise<void> {
    for (const target of this.sinks) heal(target);
    for (let i = 0; i < 6; i++) {
      await this.clock.advance(600);
      await settle();
      this.append();
      await settle();
    }
    await this.flush();
    // The report of a loss comes once, and before it nothing else can fail here.
    await this.log.flush();
  }

  async flush(): Promise<void> {
    await this.log.flush().catch((error: unknown) => {
      if (!(error instanceof AuditLossError)) return;
      this.lost += error.lost;
      reach.count('lost');
    });
  }
}

describe('LogWriter with randomly failing sinks', () => {
  it('acknowledges only stored events, stores them in one order and loses no held event', async () => {
    await fc.assert(
      fc.asyncProperty(options, fc.array(step, { maxLength: 40 }), async (chosen, steps) => {
        const model = new Model(chosen);
        for (const action of steps) await model.take(action);
        await model.recover();
        await model.log.close();
        expect(model.violations).toEqual([]);
        const [first] = model.sinks as [ScriptedSink];
        for (const { lines } of model.sinks) expect(lines).toEqual(first.lines);
        expect((await verifyLog(first.source)).problem).toBeUndefined();
        const events = first.lines.map((line) => JSON.parse(line) as AuditEvent);
        for (const [sequence, action] of model.acknowledged) {
          expect(events[sequence - 1]).toMatchObject({ sequence, action });
        }
        const own = events.filter(({ eventType }) => eventType === 'e').map(({ action }) => action);
        expect(new Set(own).size).toBe(own.length);
        expect(model.accepted.filter((action) => !own.includes(action))).toHaveLength(model.lost);
        const { pending, state } = model.log.stats();
        expect([pending, state]).toEqual([0, 'closed']);
        expect(model.clock.pending).toBe(0);
      }),
      { numRuns: 300 },
    );
    reach.expectAll(10);
  }, 60_000);
});
