import type { Demo } from '../demo.ts';
import type { Feed } from '../live/feed.ts';
import type { EventHub } from '../live/hub.ts';
import type { ScenarioHost } from '../scenarios/scenario-host.ts';
import type { Telemetry } from '../telemetry/start.ts';
import type { Access } from './access.ts';
import type { ClientLimit } from './client-limit.ts';

/** What the routes work with. */
export interface HttpContext {
  readonly demo: Demo;
  readonly telemetry: Telemetry;
  readonly access: Access;
  readonly clients: ClientLimit;
  readonly hub: EventHub;
  readonly feed: Feed;
  readonly scenarios: ScenarioHost;
  /** Where traces can be looked at, when they are exported; for links. */
  readonly jaegerUrl: string | undefined;
}
