import type { Runbook } from '../runbook.ts';

export const PERSISTENT_ERRORS: Runbook = {
  id: 'persistent_errors',
  title: 'Persistent errors',
  description: 'Operations keep failing in spite of retries.',
  symptoms: [
    'More than 1 % of the operations fail after all retries',
    'Exhausted retries and failed recoveries',
    'The same error repeatedly in the audit log',
  ],
  rootCauses: [
    'The dependency is broken, not only overloaded',
    'Corrupt data or a corrupt package',
    'Incompatible versions after a deployment',
    'A classification error: a permanent error is retried, or a transient one is not',
  ],
  steps: [
    {
      action: 'Count the errors by category and severity',
      references: [
        {
          kind: 'metric',
          name: 'temper.errors',
          query:
            'sum by (temper_error_category, temper_error_severity) (increase(temper_errors_total[15m]))',
        },
        { kind: 'endpoint', method: 'GET', path: '/v1/errors' },
      ],
    },
    {
      action: 'Find out which operations exhaust their retries, and with which error',
      references: [
        {
          kind: 'metric',
          name: 'temper.retry.operations',
          query:
            'sum by (temper_policy_name, temper_outcome) (rate(temper_retry_operations_total[5m]))',
        },
        { kind: 'panel', dashboard: 'temper-retry', panel: 'Attempts by error' },
      ],
    },
    {
      action: 'Follow a failed operation from the audit log to its trace',
      expect: 'Each event carries the trace id of its operation.',
      references: [
        { kind: 'command', command: 'npx @temper/audit query --status failure --limit 20 <log>' },
        { kind: 'endpoint', method: 'GET', path: '/v1/traces' },
      ],
    },
    {
      action: 'Verify the integrity of the audit log before relying on it',
      references: [{ kind: 'command', command: 'npx @temper/audit verify <log>' }],
    },
    {
      action: 'Check the dependencies and their network',
      references: [{ kind: 'endpoint', method: 'GET', path: '/v1/health' }],
    },
    {
      action:
        'If it began with a deployment, roll it back; otherwise contact the owner of the dependency',
    },
  ],
  prevention: [
    'Test the classification of errors: only transient errors are retried',
    'Alert on the rate of exhausted retries over two windows',
    'Show deployments on the dashboards',
    'Test the rollback',
  ],
  alerts: [
    'TemperErrorRateHigh',
    'TemperErrorBudgetBurn',
    'TemperErrorBudgetBurnSlow',
    'TemperRetriesExhausted',
    'TemperAuditLoss',
    'TemperUnhealthy',
  ],
};
