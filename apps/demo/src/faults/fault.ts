/** The faults that the demo can inject. */
export const FAULT_NAMES = [
  'registry-outage',
  'registry-refused',
  'slow-registry',
  'slow-leak',
  'corrupt-packages',
  'flapping',
  'lsp-crash',
  'hostile-input',
  'traffic-spike',
  'abusive-client',
  'audit-disk-full',
  'shutdown',
  'memory-leak',
  'event-loop-stall',
  'hung-shutdown',
] as const;

export type FaultName = (typeof FAULT_NAMES)[number];

/** A fault and its current state. */
export interface FaultState {
  readonly name: FaultName;
  readonly title: string;
  /** A one-sentence description. */
  readonly about: string;
  /** `switch`: stays on until it is switched off. `burst`: ends by itself. */
  readonly kind: 'switch' | 'burst';
  readonly on: boolean;
  /** When it was switched on, in milliseconds since the epoch. */
  readonly since: number | undefined;
  /** Id of the runbook for its symptoms. */
  readonly runbook: string;
  /** Result of the last burst. */
  readonly result: string | undefined;
}

/** The implementation of one fault. */
export interface FaultSource {
  readonly title: string;
  readonly about: string;
  readonly kind: FaultState['kind'];
  readonly runbook: string;
  /**
   * Starts the fault. A switch resolves when it is on, a burst when it is over, with its result. The
   * signal aborts when the fault is switched off.
   */
  begin(signal: AbortSignal): Promise<string | undefined>;
  /** Ends the fault; resolves when it is off. */
  end?(): Promise<void>;
}
