export { loadDefinition } from './lang/load.ts'; export {bundledDefinition} from './lang/bundled.ts'; export {parse} from './parse/parse.ts';
