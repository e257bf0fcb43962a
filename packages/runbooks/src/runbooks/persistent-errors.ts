import type { Runbook } from '../runbook.ts';
import { SETUP } from '../setup.ts';

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
  setup: SETUP,
  steps: [
    {
      action: 'Count the errors by category and severity',
      run: `query 'sum by (temper_error_category, temper_error_severity) (increase(temper_errors_total[15m])) > 0'`,
      good: '(nothing)',
      bad: 'network high N',
      references: [
        { kind: 'metric', name: 'temper.errors' },
        { kind: 'panel', dashboard: 'temper-overview', panel: 'Errors by category' },
      ],
    },
    {
      action: 'Find out which operations fail in spite of their retries',
      run: `query 'sum by (temper_outcome, temper_policy_name) (increase(temper_retry_operations_total{temper_outcome=~"exhausted|failure"}[15m])) > 0'`,
      good: '(nothing)',
      bad: '… fetch_package N',
      references: [
        { kind: 'metric', name: 'temper.retry.operations' },
        { kind: 'panel', dashboard: 'temper-retry', panel: 'Attempts by error' },
      ],
    },
    {
      action: 'Read the errors themselves',
      run: `ask '/v1/errors?limit=5' | jq -r '.errors[] | "\\(.context.operation) \\(.context.resource): \\(.message)"'`,
      good: '(nothing)',
      bad: 'fetch_package std.…: …the checksum of the tarball does not match the metadata.',
    },
    {
      action: 'Find the first failure in the audit log, and what was changed before it',
      run: 'temper-audit query --failed --order asc --limit 1 "$AUDIT_LOG"',
      good: '(nothing)',
      bad: '…operation fetch_package…does not match the metadata.…',
    },
    {
      action: 'Look at the failed traces',
      run: `ask '/v1/traces?limit=200' | jq -r '[.traces[] | select(.failed)][:3][] | .spans[] | select(.status == "error") | "\\(.name): \\(.message // "")"'`,
      good: '(nothing)',
      bad: 'breaker registry_fetch: …',
    },
    {
      action: 'Verify the integrity of the audit log before relying on it',
      expect: 'Exit code 0: valid. 1: invalid. 3: it cannot be read. 4: it was held to nothing.',
      run: `temper-audit verify --key "$(jq -r .verifierKey "$DATA/audit/audit.key")" "$AUDIT_LOG"`,
      good: 'valid …',
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
    'TemperRetryBudgetSpent',
  ],
};
