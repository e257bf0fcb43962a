// Answers probes as `@godaddy/terminus` does, for those that read its JSON body.
export { terminusHandler } from './handler.ts';
export type { TerminusHandlerOptions } from './options.ts';
