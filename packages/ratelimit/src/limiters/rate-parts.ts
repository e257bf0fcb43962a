import { loadDump } from '../changes/read-dump.ts';
import { REPORTED } from '../telemetry.ts';
import type { RateParts } from './rate-limiter.ts';
import { createTurns } from './rate-turns.ts';

/** The parts of a limiter that reports to OpenTelemetry. */
export const REPORTED_RATE: RateParts = { ...REPORTED, loadDump, createTurns };
