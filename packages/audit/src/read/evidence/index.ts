export { type BundleOptions, evidenceBundle } from './evidence-bundle.ts';
export { type BundleReport, type VerifyBundleOptions, verifyBundle } from './verify-bundle.ts';
