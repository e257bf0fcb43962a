import { HEALTH } from './health.ts';
import { OVERVIEW } from './overview.ts';
import type { DashboardDefinition } from './panel.ts';
import { BREAKER, RATELIMIT, RETRY } from './policies.ts';
import { AUDIT, RECOVERY } from './services.ts';

/** The dashboards of the packages, the overview first. */
export const DASHBOARDS: readonly DashboardDefinition[] = [
  OVERVIEW,
  RETRY,
  BREAKER,
  RATELIMIT,
  RECOVERY,
  AUDIT,
  HEALTH,
];
