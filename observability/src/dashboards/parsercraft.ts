import { type DashboardDefinition, levelBy, OUTCOME, POLICY, quantileBy, rateBy } from './panel.ts';

const SUBSYSTEM_BREAKERS = ['ast_codegen', 'protocol_check', 'registry_fetch', 'lsp_operation'];
const SUBSYSTEM_LIMITERS = ['ast_analysis', 'registry_query', 'lsp_requests'];

/** The dashboard of the ParserCraft service. */
export const PARSERCRAFT: DashboardDefinition = {
  uid: 'temper-parsercraft',
  title: 'ParserCraft',
  description: 'The four subsystems and their policies.',
  rows: [
    {
      title: 'Operations',
      panels: [
        {
          title: 'Attempts by operation',
          description: 'Attempts that reached the subsystems, by outcome.',
          kind: 'timeseries',
          unit: 'reqps',
          queries: [
            {
              expr: rateBy('temper.timeout.calls', [POLICY, OUTCOME]),
              legend: '{{temper_policy_name}} {{temper_outcome}}',
            },
          ],
        },
        {
          title: 'Operation duration, p99',
          description:
            'Code generation, protocol checks and registry fetches, measured at their circuit breakers.',
          kind: 'timeseries',
          unit: 's',
          runbook: 'slow_response',
          queries: [
            {
              expr: quantileBy(0.99, 'temper.breaker.call.duration', [POLICY]),
              legend: '{{temper_policy_name}}',
            },
          ],
        },
        {
          title: 'Circuits',
          description: 'Whether each of the three circuits is open.',
          kind: 'states',
          unit: 'short',
          runbook: 'circuit_breaker_open',
          queries: [
            {
              expr: levelBy('max', 'temper.breaker.state', [POLICY], {
                [POLICY]: SUBSYSTEM_BREAKERS,
                'temper.breaker.state': 'open',
              }),
              legend: '{{temper_policy_name}}',
            },
          ],
        },
        {
          title: 'Limits',
          description: 'Remaining requests of the three limiters.',
          kind: 'timeseries',
          unit: 'short',
          runbook: 'rate_limit_exceeded',
          queries: [
            {
              expr: levelBy('min', 'temper.ratelimit.available', [POLICY], {
                [POLICY]: SUBSYSTEM_LIMITERS,
              }),
              legend: '{{temper_policy_name}}',
            },
          ],
        },
      ],
    },
    {
      title: 'Errors',
      panels: [
        {
          title: 'Errors by severity',
          description: 'Handled errors by category and severity.',
          kind: 'timeseries',
          unit: 'cps',
          runbook: 'persistent_errors',
          emptyWhen: 'no operation has failed since the process started',
          queries: [
            {
              expr: rateBy('temper.errors', ['temper.error.category', 'temper.error.severity']),
              legend: '{{temper_error_category}} {{temper_error_severity}}',
            },
          ],
        },
        {
          title: 'Registry attempts',
          description: 'First attempts and retries of package fetches.',
          kind: 'timeseries',
          unit: 'reqps',
          runbook: 'persistent_errors',
          queries: [
            {
              expr: rateBy('temper.retry.attempts', [OUTCOME], { [POLICY]: 'fetch_package' }),
              legend: '{{temper_outcome}}',
            },
          ],
        },
      ],
    },
  ],
};
