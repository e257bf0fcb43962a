/** What can be made to go wrong. */
export const FAULT_NAMES = [
  'registry-outage',
  'registry-refused',
  'slow-registry',
  'flapping',
  'lsp-crash',
  'hostile-input',
  'traffic-spike',
  'audit-disk-full',
  'shutdown',
] as const;

export type FaultName = (typeof FAULT_NAMES)[number];

/** A fault, and whether it is on. */
export interface FaultState {
  readonly name: FaultName;
  readonly title: string;
  /** What happens, in a sentence for people. */
  readonly about: string;
  /** `switch` stays on until it is switched off; `burst` ends by itself. */
  readonly kind: 'switch' | 'burst';
  readonly on: boolean;
  /** Wall-clock time since when, in milliseconds since the epoch. */
  readonly since: number | undefined;
  /** The runbook for what it causes. */
  readonly runbook: string;
  /** What the last burst came to. */
  readonly result: string | undefined;
}

/** How one fault is made. */
export interface FaultSource {
  readonly title: string;
  readonly about: string;
  readonly kind: FaultState['kind'];
  readonly runbook: string;
  /**
   * Makes it; resolves when it is on. The signal aborts when it is switched off. A burst resolves when
   * it is over, with what it came to.
   */
  begin(signal: AbortSignal): Promise<string | undefined>;
  /** Takes it back; resolves when it is off. */
  end?(): Promise<void>;
}
