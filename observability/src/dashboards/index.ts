import { OVERVIEW } from './overview.ts';
import type { DashboardDefinition } from './panel.ts';
import { PARSERCRAFT } from './parsercraft.ts';
import { BREAKER, RATELIMIT, RETRY } from './policies.ts';
import { AUDIT, HEALTH, RECOVERY } from './services.ts';

/** All dashboards, the overview first. */
export const DASHBOARDS: readonly DashboardDefinition[] = [
  OVERVIEW,
  RETRY,
  BREAKER,
  RATELIMIT,
  RECOVERY,
  AUDIT,
  HEALTH,
  PARSERCRAFT,
];
