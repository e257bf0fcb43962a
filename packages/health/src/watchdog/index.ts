export {
  type LivenessWatchdog,
  type LivenessWatchdogOptions,
  livenessWatchdog,
  type Stall,
  type WatchdogStats,
} from './watchdog.ts';
