export { attributes, CATALOG, METRICS, type PackageTelemetry } from './catalog.ts';
export { generatedFiles } from './generated-files.ts';
export {
  NAME_STYLES,
  type NameStyle,
  prometheusLabel,
  prometheusName,
} from './prometheus-names.ts';
