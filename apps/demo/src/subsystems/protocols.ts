import type { Clock } from '@temper/core';
import { messageOf } from '@temper/core/policy';
import {
  type ConformanceReport,
  type ProtocolDefinition,
  ProtocolSet,
  type Structure,
} from '@temper/parsercraft';
import type { ProtocolSubsystem } from '@temper/parsercraft-handlers';
import { marking } from './error-marks.ts';

/** A type and the protocols to check it against. */
export interface ProtocolQuestion {
  readonly name: string;
  readonly structure: Structure;
  readonly definitions: readonly ProtocolDefinition[];
  /** Names of protocols among the definitions. */
  readonly against: readonly string[];
}

export interface ProtocolAnswer {
  readonly reports: readonly ConformanceReport[];
  /** Why nothing was checked, when the check itself failed. */
  readonly uncheckedBecause?: string;
}

/** Time reserved before the deadline to return the result, in milliseconds. */
const RESERVE_MS = 250;

/** Structural checks in this process. A check near its deadline stops and returns a partial report. */
export function protocolSubsystem(
  clock: Clock,
): ProtocolSubsystem<ProtocolQuestion, ProtocolAnswer> {
  return {
    check: ({ name, structure, definitions, against }, { deadline = Number.POSITIVE_INFINITY }) =>
      marking(() => {
        const protocols = new ProtocolSet(definitions);
        const isOver = (): boolean => clock.monotonic() > deadline - RESERVE_MS;
        const reports = against.map((one) => protocols.check(name, structure, one, { isOver }));
        return { reports };
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
