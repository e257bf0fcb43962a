/** The settings that can be tuned, in the order in which they are looked at. */
export const TUNING_SETTINGS = [
  'attemptTimeoutMs',
  'maxAttempts',
  'minimumThroughput',
  'failureRateThreshold',
  'openDurationMs',
  'hedgeDelayMs',
  'initialDelayMs',
] as const;

/** The name of a setting, as the policy that has it calls it; `hedgeDelayMs` is `delayMs` of a hedge. */
export type TuningSetting = (typeof TUNING_SETTINGS)[number];
