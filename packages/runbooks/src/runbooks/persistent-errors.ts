import type { Runbook } from '../runbook.ts';

export const PERSISTENT_ERRORS: Runbook = {
  id: 'persistent_errors',
  title: 'Persistent errors',
  description: 'Operations go on failing although they are tried again.',
  symptoms: [
    'More than 1 % of the operations fail for good',
    'Retries that are exhausted, recoveries that fail',
    'The same error over and over in the audit log',
  ],
  rootCauses: [
    'The dependency is broken, not only busy',
    'Data or a package that is damaged',
    'Versions that do not fit after a deployment',
    'A defect of ours: an error that is not transient is tried again, or the other way round',
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
      action: 'See which operations are exhausted, and with which error',
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
      action: 'Follow one of them from the audit log to its trace',
      expect: 'Each event carries the trace id of its operation.',
      references: [
        { kind: 'command', command: 'npx @temper/audit query --status failure --limit 20 <log>' },
        { kind: 'endpoint', method: 'GET', path: '/v1/traces' },
      ],
    },
    {
      action: 'Check that the log itself is whole before you trust it',
      references: [{ kind: 'command', command: 'npx @temper/audit verify <log>' }],
    },
    {
      action: 'Verify the dependencies and the network to them',
      references: [{ kind: 'endpoint', method: 'GET', path: '/v1/health' }],
    },
    {
      action:
        'If it began with a deployment, roll it back; otherwise call in who owns the dependency',
    },
  ],
  prevention: [
    'Classify errors in tests: what is transient is tried again, and nothing else',
    'Alert on the rate of exhausted operations over two windows',
    'Keep the change log beside the dashboards',
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
