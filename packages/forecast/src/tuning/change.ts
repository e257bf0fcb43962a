import type { Usual } from './guard.ts';
import type { TuningSetting } from './setting-names.ts';
import type { TuningSettings } from './settings.ts';

export const CHANGE_OUTCOMES = ['applied', 'kept', 'undone', 'failed'] as const;

/**
 * What became of a change: `applied` begins its trial, which ends with `kept` or `undone`; `failed` means
 * that `apply` threw, and that the settings before it are taken to be in force.
 */
export type ChangeOutcome = (typeof CHANGE_OUTCOMES)[number];

/** A change of the settings, as listeners and the audit log get it. */
export interface TuningChange {
  readonly name: string;
  readonly outcome: ChangeOutcome;
  /** Wall-clock time, in milliseconds since the epoch. */
  readonly at: number;
  readonly setting: TuningSetting;
  /** The settings that were in force before this event, and those that are in force after it. */
  readonly before: TuningSettings;
  readonly after: TuningSettings;
  readonly reason: string;
  /** The counts and figures that the proposal rested on. */
  readonly evidence: Readonly<Record<string, number>>;
  /** What was usual before the change, and what its trial has brought so far. */
  readonly usual: Usual;
  readonly trial: Usual | undefined;
  /** What `apply` threw. */
  readonly error?: unknown;
}

/** What an audit log must be able to do; one of `@temper/audit` fits. */
export interface TuningAuditLog {
  record(event: {
    readonly eventType: string;
    readonly action: string;
    readonly resource: string;
    readonly status: string;
    readonly details: object;
    readonly error?: unknown;
  }): void;
}

/** A change as an event of the audit log. */
export function auditEventOf(change: TuningChange): Parameters<TuningAuditLog['record']>[0] {
  const { name, outcome, setting, before, after, reason, evidence, usual, trial, error } = change;
  return {
    eventType: 'tuning',
    action: ACTIONS[outcome],
    resource: name,
    status: outcome === 'failed' ? 'failure' : 'success',
    details: {
      setting,
      before,
      after,
      reason,
      evidence,
      usual,
      ...(trial === undefined ? {} : { trial }),
    },
    ...(error === undefined ? {} : { error }),
  };
}

const ACTIONS: Readonly<Record<ChangeOutcome, string>> = {
  applied: 'apply_settings',
  kept: 'keep_settings',
  undone: 'undo_settings',
  failed: 'apply_settings',
};

/** A change in words. */
export function describeChange({
  name,
  outcome,
  setting,
  before,
  after,
  reason,
}: TuningChange): string {
  const [from, to] = [before[setting], after[setting]];
  switch (outcome) {
    case 'applied':
      return `Autotune '${name}' changed ${setting} from ${from} to ${to}: ${reason}`;
    case 'kept':
      return `Autotune '${name}' keeps ${setting} at ${to}: ${reason}`;
    case 'undone':
      return `Autotune '${name}' changed ${setting} back from ${from} to ${to}: ${reason}`;
    case 'failed':
      return `Autotune '${name}' could not change ${setting} from ${from}: ${reason}`;
  }
}
