import { getRunbook, listRunbooks, runbookMarkdown } from '@temper/runbooks';
import type { FastifyInstance } from 'fastify';
import type { FaultName } from '../../faults/fault.ts';
import { SCENARIOS, scenarioNamed } from '../../scenarios/index.ts';
import type { HttpContext } from '../context.ts';
import { documented } from '../documented.ts';
import { clientOf, withToken } from '../guards.ts';
import { Problem } from '../problem.ts';
import { SCHEMAS } from '../schemas.ts';

/** Routes for faults, scenarios and runbooks. */
export function demonstrationRoutes(app: FastifyInstance, context: HttpContext): void {
  const { demo, scenarios } = context;
  const { audit } = demo.service;
  const change = (action: string, resource: string, actor: string, details: object): void =>
    // `record` does not wait for durability: the audit-disk-full fault must not block the switches.
    audit.log.record({ eventType: 'change', action, resource, status: 'success', actor, details });

  app.get(
    '/v1/faults',
    {
      schema: documented({
        id: 'listFaults',
        summary: 'List the faults',
        tag: 'demonstration',
        schema: 'Faults',
        answer: 'Every fault with its state.',
      }),
    },
    async () => ({ faults: demo.faults.list() }),
  );

  app.post<{ Body: { name: FaultName; on: boolean } }>(
    '/v1/faults',
    {
      onRequest: withToken(context),
      schema: documented({
        id: 'switchFault',
        summary: 'Switch a fault on or off',
        tag: 'demonstration',
        body: SCHEMAS.fault,
        schema: 'Fault',
        answer: 'The fault with its new state.',
        problems: ['conflict', 'bad-gateway'],
        needsToken: true,
      }),
    },
    async (request) => {
      const { name, on } = request.body;
      if (scenarios.running !== undefined) {
        throw new Problem('conflict', 'A scenario is running and controls the faults.');
      }
      change('switch_fault', name, clientOf(context, request), { on });
      return demo.faults.set(name, on);
    },
  );

  app.get(
    '/v1/scenarios',
    {
      schema: documented({
        id: 'listScenarios',
        summary: 'List the scenarios',
        tag: 'demonstration',
        schema: 'Scenarios',
        answer: 'Phases, promises and last result of each scenario, and the one that is running.',
      }),
    },
    async () => ({
      running: scenarios.running,
      scenarios: SCENARIOS.map(({ name, title, about, phases, promises }) => ({
        name,
        title,
        about,
        phases: phases.map(({ name: phase, about: what, seconds }) => ({
          name: phase,
          about: what,
          seconds,
        })),
        promises: promises.map(({ promise }) => promise),
        result: scenarios.resultOf(name),
      })),
    }),
  );

  app.post<{ Params: { name: string } }>(
    '/v1/scenarios/:name',
    {
      onRequest: withToken(context),
      schema: documented({
        id: 'runScenario',
        summary: 'Run a scenario on this service',
        description: 'Progress and result are published on /v1/events.',
        tag: 'demonstration',
        params: SCHEMAS.scenarioName,
        status: 202,
        schema: 'ScenarioStarted',
        answer: 'The scenario has started.',
        problems: ['conflict', 'not-found'],
        needsToken: true,
      }),
    },
    async (request, reply) => {
      const scenario = scenarioNamed(request.params.name);
      if (scenario === undefined) throw new Problem('not-found', 'The scenario does not exist.');
      if (!scenarios.begin(scenario)) {
        throw new Problem('conflict', 'A scenario is already running; only one runs at a time.');
      }
      change('run_scenario', scenario.name, clientOf(context, request), {});
      return reply.code(202).send({ running: scenarios.running });
    },
  );

  app.get(
    '/v1/runbooks',
    {
      schema: documented({
        id: 'listRunbooks',
        summary: 'List the runbooks',
        tag: 'operations',
        schema: 'Runbooks',
        answer: 'Id, title, description and alerts of each runbook.',
      }),
    },
    async () => ({
      runbooks: listRunbooks().map((id) => {
        const { title, description, alerts } = getRunbook(id) ?? {};
        return { id, title, description, alerts };
      }),
    }),
  );

  app.get<{ Params: { id: string } }>(
    '/v1/runbooks/:id',
    {
      schema: documented({
        id: 'getRunbook',
        summary: 'Get a runbook',
        tag: 'operations',
        params: SCHEMAS.runbookId,
        schema: 'Runbook',
        answer: 'Symptoms, root causes, steps and prevention; also as Markdown.',
        problems: ['not-found'],
      }),
    },
    async ({ params: { id } }) => {
      const runbook = getRunbook(id);
      if (runbook === undefined) throw new Problem('not-found', 'The runbook does not exist.');
      return { ...runbook, markdown: runbookMarkdown(runbook) };
    },
  );
}
