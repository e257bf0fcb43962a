import type { AlertRule } from '../alert.ts';
import { CALL_ALERTS } from './calls.ts';
import { PROCESS_ALERTS } from './process.ts';
import { STATE_ALERTS } from './states.ts';

/** All alerts. */
export const ALERTS: readonly AlertRule[] = [...STATE_ALERTS, ...CALL_ALERTS, ...PROCESS_ALERTS];

/** The names of all alerts. */
export const ALERT_NAMES: ReadonlySet<string> = new Set(ALERTS.map(({ alert }) => alert));
