import { transformSync } from 'amaro';

/**
 * A block of a README without its types. It is the code behind `stripTypeScriptTypes` of `node:module`, which
 * Node 20 does not have.
 */
export function stripTypes(code: string): string {
  return transformSync(code, { mode: 'strip-only' }).code;
}
