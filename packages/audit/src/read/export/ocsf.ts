import type { JsonValue } from '../../chain/canonical-json.ts';
import type { AuditActor, AuditEvent } from '../../chain/event.ts';
import { VERSION } from '../../version.ts';

/** Options of the OCSF format. */
export interface OcsfOptions {
  /** Name of the service, used as source endpoint. @defaultValue the name of the log */
  readonly service?: string;
}

type Json = { readonly [key: string]: JsonValue };

/** Version of the OCSF schema. */
const OCSF_VERSION = '1.6.0';
/** Application Activity. */
const CATEGORY = 6;
/** API Activity. */
const CLASS = 6003;

const CREATE = 1;
const READ = 2;
const UPDATE = 3;
const DELETE = 4;
const OTHER = 99;

/** OCSF activities by the first word of an action. */
const VERBS: ReadonlyMap<string, number> = new Map(
  Object.entries({
    create: CREATE,
    add: CREATE,
    insert: CREATE,
    publish: CREATE,
    register: CREATE,
    upload: CREATE,
    read: READ,
    get: READ,
    fetch: READ,
    list: READ,
    query: READ,
    search: READ,
    view: READ,
    download: READ,
    export: READ,
    update: UPDATE,
    edit: UPDATE,
    modify: UPDATE,
    change: UPDATE,
    set: UPDATE,
    patch: UPDATE,
    rename: UPDATE,
    delete: DELETE,
    remove: DELETE,
    destroy: DELETE,
    drop: DELETE,
    purge: DELETE,
    revoke: DELETE,
  }),
);

const ACTIVITY_NAMES: Readonly<Record<number, string>> = {
  [CREATE]: 'Create',
  [READ]: 'Read',
  [UPDATE]: 'Update',
  [DELETE]: 'Delete',
};

/**
 * Converts an event to the Open Cybersecurity Schema Framework, class API Activity, with every
 * attribute that the class requires.
 *
 * @see https://schema.ocsf.io/1.6.0/classes/api_activity
 */
export function toOcsf(event: AuditEvent, log: string, { service = log }: OcsfOptions = {}): Json {
  const { action, resource, error } = event;
  const activity = activityOf(action);
  const status = statusOf(event);
  return {
    activity_id: activity,
    activity_name: ACTIVITY_NAMES[activity] ?? action,
    category_uid: CATEGORY,
    category_name: 'Application Activity',
    class_uid: CLASS,
    class_name: 'API Activity',
    type_uid: CLASS * 100 + activity,
    type_name: `API Activity: ${ACTIVITY_NAMES[activity] ?? 'Other'}`,
    severity_id: status.id === 2 ? 2 : 1,
    severity: status.id === 2 ? 'Low' : 'Informational',
    time: Date.parse(event.timestamp),
    message: `${action} ${resource}: ${event.status}`,
    status_id: status.id,
    status: status.label,
    ...(error === undefined
      ? {}
      : { status_code: error.code ?? error.name, status_detail: error.message }),
    metadata: {
      version: OCSF_VERSION,
      product: { name: '@temper/audit', vendor_name: 'Temper', version: VERSION },
      uid: event.id,
      sequence: event.sequence,
      event_code: event.eventType,
      log_name: log,
      original_time: event.timestamp,
      ...(event.traceId === undefined ? {} : { correlation_uid: event.traceId }),
    },
    actor: actorOf(event.actor, service),
    api: {
      operation: action,
      service: { name: service },
      ...(error === undefined
        ? {}
        : { response: { error: error.name, error_message: error.message } }),
    },
    src_endpoint: { svc_name: service },
    resources: [{ uid: resource, name: resource }],
    unmapped: {
      details: event.details,
      ...(event.durationMs === undefined ? {} : { duration_ms: event.durationMs }),
      ...(event.spanId === undefined ? {} : { span_id: event.spanId }),
      prev: event.prev,
      hash: event.hash,
    },
  };
}

/** The activity of the first word: `fetch_package`, `fetchPackage` and `fetch package` are reads. */
function activityOf(action: string): number {
  const [verb = ''] = /^[a-z]+|^[A-Z]+(?![a-z])|^[A-Z][a-z]*/.exec(action) ?? [];
  return VERBS.get(verb.toLowerCase()) ?? OTHER;
}

function statusOf({ status, error }: AuditEvent): { readonly id: number; readonly label: string } {
  if (status === 'success') return { id: 1, label: 'Success' };
  if (status === 'failure' || error !== undefined) return { id: 2, label: 'Failure' };
  return { id: OTHER, label: status };
}

function actorOf(actor: AuditActor | undefined, service: string): Json {
  if (actor === undefined) return { app_name: service };
  const { id, name, type } = actor;
  return {
    user: {
      uid: id,
      ...(name === undefined ? {} : { name }),
      ...(type === undefined ? {} : { type }),
    },
  };
}
