import type { Runbook } from '../runbook.ts';
import { SETUP } from '../setup.ts';

export const AUDIT_LOSS: Runbook = {
  id: 'audit_loss',
  title: 'Audit events lost or not durable',
  description:
    'The audit log cannot store events. They are held in memory, and lost beyond a limit or when the process ends.',
  symptoms: [
    'Audit events with the outcome degraded, refused or dropped',
    'The health check of the audit log fails, with the error of its sink',
    'With whenUnavailable refuse: operations fail with AUDIT_UNAVAILABLE',
  ],
  rootCauses: [
    'The disk of the log is full, or has no free inodes',
    'The file system is read-only, or the owner of the files has changed',
    'The database of the log is down or slow',
    'More events than the sink can write',
    'The target to which the log is shipped is down, too slow, or refuses a batch or its token',
  ],
  setup: SETUP,
  steps: [
    {
      action: 'Find out what becomes of the events',
      expect:
        'degraded: held in memory and written later. refused: the operation failed. dropped: lost.',
      run: `query 'sum by (temper_outcome) (increase(temper_audit_events_total{temper_outcome!="stored"}[5m])) > 0'`,
      good: '(nothing)',
      bad: 'degraded N',
      references: [
        { kind: 'metric', name: 'temper.audit.events' },
        { kind: 'panel', dashboard: 'temper-audit', panel: 'Events by outcome' },
      ],
    },
    {
      action: 'Read why the sink does not store',
      expect:
        'ENOSPC: the disk is full. EROFS and EACCES: it cannot be written. EIO: it is defective.',
      run: `ask /v1/health | jq -r '.checks.audit | "\\(.status): \\(.message)"'`,
      good: 'healthy: since the last probe 0 events rejected, 0 lost, 0 not durable; …',
      bad: "unhealthy: log is unavailable; …; sink 'sqlite': ENOSPC: no space left on device, write",
      references: [{ kind: 'panel', dashboard: 'temper-audit', panel: 'Sink errors' }],
    },
    {
      action: 'Check the space and the inodes of its disk, and what uses them',
      expect: '100 % in the column Capacity or IUse% confirms a full disk.',
      run: `df -P "$(dirname "$AUDIT_LOG")"
df -Pi "$(dirname "$AUDIT_LOG")"
du -ah "$DATA" | sort -rh | head -n 5`,
      good: `Filesystem…Available Capacity…
Filesystem…IFree IUse%…
…audit.db`,
    },
    {
      action: 'Count what is at risk',
      expect:
        'Pending events are lost if the process ends now. Free some space before you restart it.',
      run: `ask '/v1/audit?limit=0' | jq -r '.stats | "\\(.state): \\(.pending) pending, \\(.dropped) dropped, \\(.refused) refused"'`,
      good: 'open: … pending, 0 dropped, 0 refused',
      bad: 'unavailable: N pending, 0 dropped, 0 refused',
      references: [{ kind: 'panel', dashboard: 'temper-audit', panel: 'Pending events' }],
    },
    {
      action: 'Find out whether a target to which the log is shipped is behind',
      expect:
        'The events are in the log and are sent until the target stores them. Repair the target or its token. The reason of the ShipError: gap, retention has removed events that were not shipped; mismatch, the log was rewritten or replaced, and shipping has stopped.',
      run: `query 'sum by (temper_policy_name, temper_audit_target) (temper_audit_ship_lag) > 0'
query 'sum by (temper_policy_name, temper_audit_target) (increase(temper_audit_ship_errors_total[5m])) > 0'`,
      good: '(nothing)',
      references: [
        { kind: 'metric', name: 'temper.audit.ship.lag' },
        { kind: 'metric', name: 'temper.audit.ship.errors' },
        { kind: 'panel', dashboard: 'temper-audit', panel: 'Shipping lag' },
        { kind: 'panel', dashboard: 'temper-audit', panel: 'Shipping errors' },
      ],
    },
    {
      action: 'Free some space: the log recovers by itself, and writes the pending events in order',
    },
    {
      action: 'Verify the log',
      expect: 'Exit code 0: valid. 1: invalid. 3: it cannot be read. 4: it was held to nothing.',
      run: `temper-audit verify --key "$(jq -r .verifierKey "$DATA/audit/audit.key")" "$AUDIT_LOG"`,
      good: 'valid …',
    },
  ],
  prevention: [
    'Check the free space of the log’s disk (diskSpaceCheck), and alert before it is full',
    'Set a retention (maxEvents), or archive old events',
    'Keep events for longer than the longest outage of a target to which the log is shipped',
    'Give the log a second sink on another disk or machine',
    'Choose whenUnavailable refuse where an operation without an event must not happen',
  ],
  alerts: ['TemperAuditLoss', 'TemperAuditNotDurable', 'TemperAuditBehind'],
};
