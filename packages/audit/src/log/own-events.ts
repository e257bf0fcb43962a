/**
 * `eventType` of the events that a log writes about itself. Callers cannot use it, because such an
 * event can be a statement that verification relies on.
 */
export const OWN_EVENT_TYPE = 'audit';
