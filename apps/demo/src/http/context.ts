import type { LivenessWatchdog } from '@temper/health/watchdog';
import type { Demo } from '../demo.ts';
import type { Feed } from '../live/feed.ts';
import type { EventHub } from '../live/hub.ts';
import type { ScenarioHost } from '../scenarios/scenario-host.ts';
import type { Telemetry } from '../telemetry/start.ts';
import type { Access } from './access.ts';
import type { ClientLimit } from './client-limit.ts';

/** Dependencies of the routes. */
export interface HttpContext {
  readonly demo: Demo;
  readonly telemetry: Telemetry;
  readonly access: Access;
  readonly clients: ClientLimit;
  readonly hub: EventHub;
  readonly feed: Feed;
  readonly scenarios: ScenarioHost;
  /** Undefined in a scenario. */
  readonly watchdog: LivenessWatchdog | undefined;
  /** Folder for heap snapshots. */
  readonly dataDir: string;
  /** Base URL of Jaeger for links to traces, if configured. */
  readonly jaegerUrl: string | undefined;
}
