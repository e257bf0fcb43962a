import { FAULT_NAMES } from '../faults/fault.ts';
import { PROBLEMS } from './problem.ts';

export type AnswerName =
  | 'Problem'
  | 'Degradation'
  | 'Diagnostic'
  | 'Compiled'
  | 'Run'
  | 'Checked'
  | 'LspAnswer'
  | 'PackageVersion'
  | 'Package'
  | 'AuditEvent'
  | 'Audit'
  | 'Health'
  | 'Errors'
  | 'Breaker'
  | 'Policies'
  | 'Tuning'
  | 'HeapSnapshot'
  | 'Trace'
  | 'Traces'
  | 'Fault'
  | 'Faults'
  | 'ScenarioStarted'
  | 'Scenarios'
  | 'ScenarioResult'
  | 'Runbooks'
  | 'Runbook';

/** A reference to a schema of {@link ANSWERS}. */
export const refTo = (name: AnswerName): { readonly $ref: string } => ({
  $ref: `#/components/schemas/${name}`,
});

const TEXT = { type: 'string' } as const;
const NUMBER = { type: 'number' } as const;
const COUNT = { type: 'integer', minimum: 0 } as const;
const FLAG = { type: 'boolean' } as const;
/** An object of any members. */
const ANY = { type: 'object', additionalProperties: true } as const;
const TRACE_ID = { type: 'string', pattern: '^[0-9a-f]{32}$' } as const;
const SPAN_ID = { type: 'string', pattern: '^[0-9a-f]{16}$' } as const;

const list = (items: object) => ({ type: 'array', items });
const byName = (values: object) => ({ type: 'object', additionalProperties: values });
const oneOf = (...values: readonly string[]) => ({ type: 'string', enum: values });
const counts = (...names: readonly string[]) => object(named(names, COUNT));
const numbers = (...names: readonly string[]) => object(named(names, NUMBER));
const named = <T>(names: readonly string[], value: T): Readonly<Record<string, T>> =>
  Object.fromEntries(names.map((name) => [name, value]));

/** An object with all of the properties, and perhaps the optional ones. Later versions may add others. */
const object = (
  properties: Readonly<Record<string, object>>,
  optional: Readonly<Record<string, object>> = {},
) => ({
  type: 'object',
  required: Object.keys(properties),
  properties: { ...properties, ...optional },
});

const BREAKER = object(
  {
    state: oneOf('closed', 'open', 'half-open', 'isolated'),
    mode: oneOf('enabled', 'metrics-only', 'disabled'),
    calls: counts('success', 'failure', 'slow', 'ignored', 'aborted', 'rejected'),
    window: counts('calls', 'failures', 'slow'),
    openings: COUNT,
    trials: counts('running', 'successes', 'failures'),
    waiting: COUNT,
  },
  {
    retryAfterMs: NUMBER,
    lastFailureAt: NUMBER,
    changedAt: NUMBER,
    shared: object(
      { node: TEXT, storeErrors: COUNT },
      { fleet: object({ state: TEXT, nodes: COUNT, openNodes: COUNT }) },
    ),
  },
);

const WAITING = named(['queued', 'allowed', 'delayed', 'rejected', 'aborted'], COUNT);
const TOKEN_BUCKET = {
  ...named(['availableTokens', 'maxTokens', 'refillRate', 'requestsInWindow'], NUMBER),
  ...WAITING,
};
const BULKHEAD = object(
  { inFlight: COUNT, limit: COUNT, ...WAITING },
  { keys: object({ keys: COUNT, evictions: COUNT, ...WAITING }) },
);

const PLAN = numbers('maxAttempts', 'retryDelayMs', 'timeoutMs', 'attemptTimeoutMs');
const CHANGED_SETTINGS = list(object({ setting: TEXT, value: NUMBER, defaultValue: NUMBER }));

const TUNING_SETTINGS = byName(NUMBER);
const USUAL = numbers('calls', 'failureRatio', 'p99Ms', 'load');
const PROPOSAL = object({
  setting: TEXT,
  from: NUMBER,
  to: NUMBER,
  target: NUMBER,
  reason: TEXT,
  evidence: byName(NUMBER),
});

const STATUS = oneOf('healthy', 'degraded', 'unhealthy');
const HEALTH_CHECK = object(
  {
    name: TEXT,
    status: STATUS,
    probedStatus: STATUS,
    critical: FLAG,
    groups: list(TEXT),
    timestamp: NUMBER,
    responseTimeMs: NUMBER,
    consecutiveFailures: COUNT,
    componentType: TEXT,
    uptime: list(object({ windowMs: NUMBER, coveredMs: NUMBER }, { ratio: NUMBER })),
  },
  {
    ageMs: NUMBER,
    message: TEXT,
    observed: object({ value: { type: ['number', 'string'] } }, { name: TEXT, unit: TEXT }),
    details: ANY,
    errorType: TEXT,
  },
);

const CATEGORIES = ['validation', 'network', 'timeout', 'resource', 'internal', 'unknown'];
const SEVERITIES = ['low', 'medium', 'high', 'critical'];

const RUNBOOK = {
  ...named(['id', 'title', 'description'], TEXT),
  alerts: list(TEXT),
};
const PLACE = counts('offset', 'line', 'column');
const VERSIONS = byName(object({ version: TEXT }, { degraded: refTo('Degradation') }));
const DEPENDENCIES = byName(TEXT);
const PACKAGE_VERSION = {
  ...named(['name', 'version', 'description', 'language', 'main', 'integrity'], TEXT),
  dependencies: DEPENDENCIES,
  sizeBytes: COUNT,
  yanked: FLAG,
};
const RUNNING = object(
  { name: TEXT, phaseIndex: { type: 'integer', minimum: -1 }, startedAt: NUMBER },
  { phase: TEXT },
);

/** The schemas of the OpenAPI document, by name: of the bodies of responses, and of parts of several. */
export const ANSWERS: Readonly<Record<AnswerName, object>> = {
  Problem: {
    description: 'A problem document (RFC 9457) with a stable code and a trace id.',
    ...object(
      {
        type: TEXT,
        code: { type: 'string', enum: Object.keys(PROBLEMS) },
        title: TEXT,
        status: { type: 'integer' },
        detail: TEXT,
        traceId: TRACE_ID,
      },
      {
        errors: list(object({ at: TEXT }, { message: TEXT, params: ANY })),
        diagnostics: list(refTo('Diagnostic')),
        issues: list(
          object({ path: TEXT, message: TEXT }, { kind: TEXT, line: COUNT, column: COUNT }),
        ),
        breaker: { ...TEXT, description: 'Name of the open circuit.' },
        limiter: { ...TEXT, description: 'Name of the limit that refused the request.' },
        'violated-policies': list(TEXT),
        retryAfterMs: NUMBER,
        construct: TEXT,
        line: COUNT,
        column: COUNT,
        module: TEXT,
      },
    ),
  },
  Degradation: {
    description: 'Why and how an answer is degraded.',
    ...object(
      { by: { ...TEXT, examples: ['stale', 'last-good'] }, reason: TEXT, errorType: TEXT },
      { ageMs: NUMBER },
    ),
  },
  Diagnostic: {
    description: 'An error of a program, with its place. Lines and columns count from 1.',
    ...object({
      source: oneOf('syntax', 'type'),
      code: TEXT,
      message: TEXT,
      start: PLACE,
      end: PLACE,
    }),
  },
  Compiled: object({ c: { ...TEXT, description: 'The program in C11.' }, packages: VERSIONS }),
  Run: object(
    { output: TEXT, errorOutput: TEXT, exitCode: COUNT, steps: COUNT, packages: VERSIONS },
    { fault: object({ message: TEXT, place: TEXT }) },
  ),
  Checked: object(
    {},
    {
      diagnostics: list(refTo('Diagnostic')),
      names: list(object({ name: TEXT, kind: TEXT, type: TEXT, line: COUNT, column: COUNT })),
      reports: list(
        object({
          protocol: TEXT,
          verdict: oneOf('conforms', 'violates', 'unknown'),
          violations: list(object(named(['kind', 'member', 'protocol', 'message'], TEXT))),
          checked: list(TEXT),
          unchecked: list(TEXT),
        }),
      ),
      uncheckedBecause: TEXT,
      degraded: refTo('Degradation'),
    },
  ),
  LspAnswer: object(
    { result: { description: 'As the Language Server Protocol defines it.' } },
    { degraded: refTo('Degradation') },
  ),
  PackageVersion: object(PACKAGE_VERSION),
  Package: object(
    {
      ...PACKAGE_VERSION,
      fetchedAt: NUMBER,
      lock: object({
        lockfileVersion: COUNT,
        requirements: DEPENDENCIES,
        packages: byName(object({ version: TEXT, integrity: TEXT, dependencies: DEPENDENCIES })),
      }),
    },
    { source: TEXT, degraded: refTo('Degradation') },
  ),
  AuditEvent: object(
    {
      id: TEXT,
      sequence: COUNT,
      ...named(['timestamp', 'eventType', 'action', 'resource', 'status'], TEXT),
      details: ANY,
      v: COUNT,
      ...named(['log', 'prev', 'hash'], TEXT),
    },
    {
      actor: object({ id: TEXT }, { type: TEXT, name: TEXT }),
      error: object({ name: TEXT, message: TEXT }, { code: TEXT, cause: ANY }),
      durationMs: NUMBER,
      traceId: TRACE_ID,
      spanId: SPAN_ID,
    },
  ),
  Audit: object({
    events: list(refTo('AuditEvent')),
    stats: object(
      {
        state: oneOf('idle', 'opening', 'open', 'unavailable', 'closed'),
        ...named(['sequence', 'stored', 'refused', 'degraded', 'dropped'], COUNT),
        ...named(['pending', 'checkpointed'], COUNT),
      },
      { checkpointError: TEXT },
    ),
    durable: FLAG,
    verification: object(
      {
        ok: FLAG,
        ...named(['events', 'last'], COUNT),
        checkpoints: counts('checked', 'trusted', 'covered', 'tooOld'),
        ...named(['at', 'durationMs'], NUMBER),
      },
      { problem: object({ kind: TEXT, sequence: COUNT, message: TEXT }) },
    ),
  }),
  Health: object(
    {
      name: TEXT,
      status: STATUS,
      timestamp: NUMBER,
      ready: FLAG,
      started: FLAG,
      counts: counts('healthy', 'degraded', 'unhealthy'),
      checks: byName(HEALTH_CHECK),
      children: object({
        registry: object({ pid: COUNT }),
        lsp: object(
          { state: oneOf('idle', 'starting', 'running', 'down', 'closed'), restarts: COUNT },
          { pid: COUNT },
        ),
        workers: object({
          ...named(['size', 'idle', 'busy', 'waiting', 'jobs'], COUNT),
          replaced: counts('time', 'memory', 'abandoned', 'full', 'crash'),
        }),
      }),
    },
    {
      eventLoop: object(
        { stalls: COUNT, longestMs: NUMBER },
        { last: object({ durationMs: NUMBER, endedAt: NUMBER, failed: FLAG }, { stack: TEXT }) },
      ),
    },
  ),
  Errors: object({
    stats: object({
      total: COUNT,
      byCategory: counts(...CATEGORIES),
      bySeverity: counts(...SEVERITIES),
      remembered: COUNT,
      breakers: byName(refTo('Breaker')),
      limiters: byName(object(TOKEN_BUCKET)),
      bulkheads: byName(BULKHEAD),
    }),
    errors: list(
      object({
        errorId: TEXT,
        category: oneOf(...CATEGORIES),
        severity: oneOf(...SEVERITIES),
        message: TEXT,
        timestamp: NUMBER,
        context: ANY,
        retryCount: COUNT,
      }),
    ),
  }),
  Breaker: BREAKER,
  Policies: object({
    pipelines: byName(object({ bulkhead: TEXT, breaker: TEXT }, { limiter: TEXT })),
    breakers: byName(refTo('Breaker')),
    limiters: byName(
      object(
        { ...TOKEN_BUCKET, limit: NUMBER, remaining: COUNT },
        { windowMs: NUMBER, resetMs: NUMBER },
      ),
    ),
    retries: byName(
      object({
        operations: counts('success', 'recovered', 'failure', 'exhausted', 'aborted'),
        attempts: COUNT,
        retries: COUNT,
      }),
    ),
    settings: object({
      breakers: byName(numbers('failureThreshold', 'openDurationMs')),
      limiters: byName(numbers('limit', 'windowMs', 'burst', 'share')),
      bulkheads: byName(numbers('limit', 'share', 'maxQueue')),
      plans: byName(PLAN),
      methods: byName(PLAN),
      cache: numbers('maxPackages', 'maxAgeMs'),
      health: numbers('timeoutMs', 'ttlMs'),
      errors: numbers('capacity'),
    }),
    changed: CHANGED_SETTINGS,
    process: numbers('pid', 'uptimeSeconds', 'rss', 'heapUsed'),
  }),
  Tuning: object(
    {
      name: TEXT,
      status: oneOf('observing', 'incident', 'trial'),
      settings: TUNING_SETTINGS,
      proposals: list(PROPOSAL),
      waiting: list(object({ setting: TEXT, samples: NUMBER, needed: NUMBER, of: TEXT })),
      usual: USUAL,
      changes: list(
        object(
          {
            name: TEXT,
            outcome: TEXT,
            at: NUMBER,
            setting: TEXT,
            before: TUNING_SETTINGS,
            after: TUNING_SETTINGS,
            reason: TEXT,
            evidence: byName(NUMBER),
            usual: USUAL,
          },
          { trial: USUAL, error: {} },
        ),
      ),
    },
    { trial: PROPOSAL },
  ),
  HeapSnapshot: object({ path: TEXT }),
  Trace: object({
    traceId: TRACE_ID,
    name: TEXT,
    startMs: NUMBER,
    durationMs: NUMBER,
    failed: FLAG,
    spans: list(
      object(
        {
          spanId: SPAN_ID,
          name: TEXT,
          kind: oneOf('internal', 'server', 'client', 'producer', 'consumer'),
          scope: TEXT,
          startMs: NUMBER,
          durationMs: NUMBER,
          status: oneOf('unset', 'ok', 'error'),
          attributes: ANY,
        },
        { parentSpanId: SPAN_ID, message: TEXT },
      ),
    ),
    dropped: COUNT,
  }),
  Traces: object(
    { traces: list(refTo('Trace')), exported: FLAG },
    { jaegerUrl: TEXT, metricsUrl: TEXT },
  ),
  Fault: object(
    {
      name: { type: 'string', enum: [...FAULT_NAMES] },
      title: TEXT,
      about: TEXT,
      kind: oneOf('switch', 'burst'),
      on: FLAG,
      runbook: TEXT,
    },
    { since: NUMBER, result: TEXT },
  ),
  Faults: object({ faults: list(refTo('Fault')) }),
  ScenarioStarted: object({}, { running: RUNNING }),
  Scenarios: object(
    {
      scenarios: list(
        object(
          {
            ...named(['name', 'title', 'about'], TEXT),
            phases: list(object({ name: TEXT, about: TEXT, seconds: NUMBER })),
            promises: list(TEXT),
          },
          { result: refTo('ScenarioResult') },
        ),
      ),
    },
    { running: RUNNING },
  ),
  ScenarioResult: object({
    scenario: TEXT,
    ok: FLAG,
    seconds: NUMBER,
    settings: CHANGED_SETTINGS,
    promises: list(object({ promise: TEXT, held: FLAG, shown: TEXT })),
    phases: list(
      object(
        {
          name: TEXT,
          seconds: NUMBER,
          ...named(['calls', 'successes', 'degraded', 'rejections'], COUNT),
          ...named(['failures', 'attempts'], COUNT),
          operations: byName(COUNT),
        },
        { p50Ms: NUMBER, p99Ms: NUMBER },
      ),
    ),
    transitions: list(
      object({ ...named(['breaker', 'from', 'to', 'reason', 'phase'], TEXT), atMs: NUMBER }),
    ),
    measured: byName({ type: ['number', 'string', 'boolean'] }),
  }),
  Runbooks: object({ runbooks: list(object(RUNBOOK)) }),
  Runbook: object({
    ...RUNBOOK,
    ...named(['symptoms', 'rootCauses', 'prevention'], list(TEXT)),
    setup: { ...TEXT, description: 'Commands for bash, before those of the steps.' },
    steps: list(
      object(
        { action: TEXT },
        { expect: TEXT, run: TEXT, good: TEXT, bad: TEXT, references: list(ANY) },
      ),
    ),
    markdown: TEXT,
  }),
};
