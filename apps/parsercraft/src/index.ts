export { toC } from './codegen/to-c.ts';
export { format } from './format/format.ts';
export { run } from './interpret/run.ts';
export { bundledDefinition } from './lang/bundled.ts';
export { loadDefinition } from './lang/load.ts';
export { parse } from './parse/parse.ts';
export { check } from './types/check.ts';
export { typeText } from './types/type.ts';
