import type { RunbookId } from '@temper/runbooks';

/** How a runbook is proven. */
interface Case {
  /** The fault of the demo that causes the incident, `stop the store` or `kill the service`. */
  readonly fault: string;
  /** What the output of the commands must contain. */
  readonly cause: RegExp;
  /** The alert that the incident raises, at least pending. Absent if the page says why telemetry has none in time. */
  readonly alert?: string;
}

/** A case for every page in docs/runbooks. */
export const CASES: Readonly<Record<RunbookId, Case>> = {
  // The alert is about a share of the machine's memory, which a test must not use up.
  high_memory_usage: { fault: 'memory-leak', cause: /\d+ LeakedSession/ },
  // The alerts are about objectives that the attempt timeout of 2 s keeps.
  slow_response: { fault: 'slow-registry', cause: /GET: 2\d{3} ms, http:.*\/packages\// },
  // One stall is over before it is busy for two minutes.
  event_loop_stall: {
    fault: 'event-loop-stall',
    cause: /at analyzeSynchronously \(file:.*\/faults\/local\.js:\d+:\d+\)/,
  },
  circuit_breaker_open: {
    fault: 'registry-outage',
    cause: /responded with 503/,
    alert: 'TemperCircuitOpen',
  },
  rate_limit_exceeded: {
    fault: 'traffic-spike',
    cause: /127\.0\.0\.1: \d+ refused by http_client/,
    alert: 'TemperRateLimited',
  },
  store_unreachable: {
    fault: 'stop the store',
    cause: /ECONNREFUSED/,
    alert: 'TemperStoreUnreachable',
  },
  persistent_errors: {
    fault: 'corrupt-packages',
    cause: /checksum of the tarball does not match/,
    alert: 'TemperErrorRateHigh',
  },
  unhealthy_check: {
    fault: 'lsp-crash',
    cause: /language server exited.* on SIGKILL/,
    alert: 'TemperUnhealthy',
  },
  audit_loss: {
    fault: 'audit-disk-full',
    cause: /ENOSPC: no space left on device/,
    alert: 'TemperAuditNotDurable',
  },
  // The process ends within a moment of its last handler, mostly before it is scraped again.
  hung_shutdown: { fault: 'hung-shutdown', cause: /still running: flush\/drain the job queue/ },
  // Its alerts wait for five minutes, which is more than a shell should.
  target_absent: { fault: 'kill the service', cause: /down .*connection refused/ },
};
