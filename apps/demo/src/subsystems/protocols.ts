import type { Clock } from '@temper/core';
import { messageOf } from '@temper/core/policy';
import type { ConformanceReport, ProtocolDefinition } from '@temper/parsercraft';
import type { ProtocolSubsystem } from '@temper/parsercraft-handlers';
import type { ProtocolQuestion } from '../workers/jobs.ts';
import type { WorkerPool } from '../workers/pool.ts';
import { marking } from './error-marks.ts';
import { workerCall } from './worker-call.ts';

export interface ProtocolAnswer {
  readonly reports: readonly ConformanceReport[];
  /** Why nothing was checked, when the check itself failed. */
  readonly uncheckedBecause?: string;
}

/** Time reserved before the deadline to return the result, in milliseconds. */
const RESERVE_MS = 250;

/**
 * Structural checks on the workers. A check near its deadline, or the time limit of a job, stops and
 * returns a partial report.
 *
 * @param timeMs - time limit of a job
 */
export function protocolSubsystem(
  pool: WorkerPool,
  clock: Clock,
  timeMs: number,
): ProtocolSubsystem<ProtocolQuestion, ProtocolAnswer> {
  return {
    check: (question, context) =>
      marking(async () => {
        const { deadline = Number.POSITIVE_INFINITY } = context;
        const leftMs = (): number => Math.min(timeMs, deadline - clock.monotonic()) - RESERVE_MS;
        const job = () => ({ ...question, timeMs: leftMs() });
        return { reports: await pool.run('protocols', job, workerCall(context)) };
      }),
    unchecked: ({ definitions, against }, reason) => ({
      reports: against.map((protocol) => ({
        protocol,
        verdict: 'unknown',
        violations: [],
        checked: [],
        unchecked: membersOf(definitions, protocol, new Set()),
      })),
      uncheckedBecause: messageOf(reason),
    }),
    probe: {
      name: 'Probe',
      structure: { methods: { read: { parameters: ['int'], result: 'string' } } },
      definitions: [
        { name: 'Reader', methods: { read: { parameters: ['int'], result: 'string' } } },
      ],
      against: ['Reader'],
    },
  };
}

/** Member names of a protocol and of the protocols it extends. Ignores cycles. */
function membersOf(
  definitions: readonly ProtocolDefinition[],
  name: string,
  seen: Set<string>,
): readonly string[] {
  const definition = definitions.find((one) => one.name === name);
  if (definition === undefined || seen.has(name)) return [];
  seen.add(name);
  const own = [
    ...Object.keys(definition.methods ?? {}),
    ...Object.keys(definition.properties ?? {}),
  ];
  const inherited = (definition.extends ?? []).flatMap((parent) =>
    membersOf(definitions, parent, seen),
  );
  return [...new Set([...own, ...inherited])];
}
