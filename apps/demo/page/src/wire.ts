// The parts of the API's responses and events that the page uses.

export type OutcomeName = 'success' | 'degraded' | 'rejected' | 'failure';

export interface OperationSample {
  readonly operation: string;
  readonly resource: string;
  readonly status: OutcomeName | 'aborted';
  readonly durationMs: number;
  readonly attempts: number;
  readonly errorType?: string;
}

export interface Operations {
  readonly counts: Readonly<Record<string, Readonly<Record<string, number>>>>;
  readonly samples: readonly OperationSample[];
}

export interface OperationSecond {
  readonly calls: number;
  readonly successes: number;
  readonly degraded: number;
  readonly rejections: number;
  readonly failures: number;
  readonly attempts: number;
  readonly p50Ms?: number;
  readonly p90Ms?: number;
  readonly p99Ms?: number;
}

export type BreakerState = 'closed' | 'open' | 'half-open' | 'isolated' | 'unknown';

export interface Second {
  readonly at: number;
  readonly operations: Readonly<Record<string, OperationSecond>>;
  readonly calls: number;
  readonly goodput: number;
  /** Requests that the rate limit of the clients refused. They are not among the calls. */
  readonly turnedAway: number;
  readonly breakers: Readonly<
    Record<
      string,
      {
        readonly state: BreakerState;
        readonly retryAfterMs?: number;
        readonly window: { readonly calls: number; readonly failures: number };
      }
    >
  >;
  readonly limiters: Readonly<
    Record<string, { readonly remaining: number; readonly limit: number }>
  >;
  readonly lsp: { readonly state: string; readonly restarts: number };
  readonly audit: {
    readonly state: string;
    readonly sequence: number;
    readonly degraded: number;
    readonly refused: number;
  };
  readonly memory: { readonly rss: number };
  readonly eventLoop: { readonly p99Ms: number };
}

export interface BreakerChange {
  readonly breaker: string;
  readonly from: BreakerState;
  readonly to: BreakerState;
}

export interface FaultState {
  readonly name: string;
  readonly title: string;
  readonly about: string;
  readonly kind: 'switch' | 'burst';
  readonly on: boolean;
  readonly runbook: string;
  readonly result?: string;
}

export interface AuditEvent {
  readonly sequence: number;
  readonly hash: string;
  readonly prev: string;
  readonly timestamp: string;
  readonly action: string;
  readonly resource: string;
  readonly status: string;
}

export interface AuditAnswer {
  readonly events: readonly AuditEvent[];
  readonly durable: boolean;
  readonly verification: {
    readonly ok: boolean;
    readonly last: number;
    readonly problem?: { readonly reason?: string; readonly sequence?: number };
    readonly checkpoints: { readonly trusted: number };
  };
}

export interface HealthCheck {
  readonly name: string;
  readonly status: 'healthy' | 'degraded' | 'unhealthy';
  readonly message?: string;
  readonly critical: boolean;
  readonly responseTimeMs?: number;
  readonly uptime: readonly { readonly windowMs: number; readonly ratio: number }[];
}

export interface Health {
  readonly status: HealthCheck['status'];
  readonly ready: boolean;
  readonly checks: Readonly<Record<string, HealthCheck>>;
  readonly children: {
    readonly registry: { readonly pid: number };
    readonly lsp: { readonly pid?: number; readonly state: string; readonly restarts: number };
    readonly workers: {
      readonly size: number;
      readonly busy: number;
      readonly replaced: Readonly<Record<string, number>>;
    };
  };
}

/** What the fetches of packages say about their settings. */
export interface Tuning {
  readonly status: 'observing' | 'incident' | 'trial';
  readonly settings: Readonly<Record<string, number>>;
  readonly proposals: readonly {
    readonly setting: string;
    readonly from: number;
    readonly to: number;
    readonly reason: string;
    readonly evidence: Readonly<Record<string, number>>;
  }[];
  readonly waiting: readonly {
    readonly setting: string;
    readonly samples: number;
    readonly needed: number;
    readonly of: string;
  }[];
  readonly usual: { readonly calls: number };
}

export interface Span {
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly name: string;
  readonly kind: string;
  readonly scope: string;
  readonly startMs: number;
  readonly durationMs: number;
  readonly status: 'unset' | 'ok' | 'error';
  readonly message?: string;
  readonly attributes: Readonly<Record<string, unknown>>;
}

export interface Trace {
  readonly traceId: string;
  readonly name: string;
  readonly startMs: number;
  readonly durationMs: number;
  readonly failed: boolean;
  readonly spans: readonly Span[];
  readonly dropped: number;
}

interface Policies {
  readonly retries: Readonly<Record<string, { readonly retries: number }>>;
  readonly settings: {
    readonly breakers: Readonly<Record<string, { readonly failureThreshold: number }>>;
    readonly plans: Readonly<Record<string, { readonly maxAttempts: number }>>;
  };
}

interface RunningScenario {
  readonly name: string;
  readonly phaseIndex: number;
}

/** What the service accepts. */
export interface Limits {
  /** In characters. */
  readonly sourceLength: number;
}

export interface Hello {
  readonly faults: readonly FaultState[];
  readonly policies: Policies;
  readonly history: readonly Second[];
  readonly traces: readonly Trace[];
  readonly scenario?: RunningScenario;
  readonly limits: Limits;
}

interface PromiseResult {
  readonly promise: string;
  readonly held: boolean;
  readonly shown: string;
}

export interface ScenarioResult {
  readonly scenario: string;
  readonly ok: boolean;
  readonly promises: readonly PromiseResult[];
}

export interface ScenarioView {
  readonly name: string;
  readonly title: string;
  readonly about: string;
  readonly phases: readonly {
    readonly name: string;
    readonly about: string;
    readonly seconds: number;
  }[];
  readonly promises: readonly string[];
  readonly result?: ScenarioResult;
}

export type ScenarioNews =
  | { readonly kind: 'phase'; readonly scenario: string; readonly index: number }
  | { readonly kind: 'result'; readonly result: ScenarioResult }
  | { readonly kind: 'failed'; readonly scenario: string; readonly message: string };

export interface Runbook {
  readonly title: string;
  readonly description: string;
  readonly symptoms: readonly string[];
  readonly rootCauses: readonly string[];
  readonly setup: string;
  readonly steps: readonly {
    readonly action: string;
    readonly expect?: string;
    readonly run?: string;
    readonly good?: string;
    readonly bad?: string;
    readonly references?: readonly Readonly<Record<string, string>>[];
  }[];
  readonly prevention: readonly string[];
}

export interface Diagnostic {
  readonly line: number;
  readonly column: number;
  readonly message: string;
}
