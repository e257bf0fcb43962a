import type { FastifyInstance } from 'fastify';
import type { HttpContext } from '../context.ts';
import { auditRoutes } from './audit.ts';
import { demonstrationRoutes } from './demonstration.ts';
import { liveRoutes } from './live.ts';
import { lspRoutes } from './lsp.ts';
import { packageRoutes } from './packages.ts';
import { programRoutes } from './programs.ts';
import { stateRoutes } from './state.ts';

/** Adds the routes of the API. */
export function addRoutes(app: FastifyInstance, context: HttpContext): void {
  for (const add of [
    programRoutes,
    packageRoutes,
    lspRoutes,
    auditRoutes,
    stateRoutes,
    demonstrationRoutes,
    liveRoutes,
  ]) {
    add(app, context);
  }
}
