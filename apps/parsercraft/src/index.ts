export { UnsupportedConstructError } from './codegen/errors.ts';
export { OutputLimitError, StepBudgetError } from './interpret/errors.ts';
export type { RunResult } from './interpret/run.ts';
export { BUNDLED_LANGUAGES, bundledDefinition, isBundledLanguage } from './lang/bundled.ts';
export type { LanguageDefinition } from './lang/definition.ts';
export { LanguageDefinitionError } from './lang/errors.ts';
export { loadDefinition } from './lang/load.ts';
export {
  LspClosedError,
  LspExitError,
  LspRequestError,
  LspTimeoutError,
  LspUnavailableError,
} from './lsp/errors.ts';
export { LastGoodAnswers } from './lsp/last-good-answers.ts';
export { LspProcess, type LspState } from './lsp/lsp-process.ts';
export { lowerPriority } from './lsp/priority.ts';
export type { LspInitialization } from './lsp/workspace.ts';
export { ParseError } from './parse/errors.ts';
export { parse } from './parse/parse.ts';
export type { ProtocolDefinition, Structure } from './protocols/definition.ts';
export { ProtocolValidationError } from './protocols/errors.ts';
export { structureOf } from './protocols/module-structure.ts';
export { type ConformanceReport, ProtocolSet } from './protocols/protocol-set.ts';
export { type Cache, diskCache, memoryCache } from './registry-client/cache.ts';
export { type FetchedPackage, type Installed, RegistryClient } from './registry-client/client.ts';
export {
  DependencyCycleError,
  IntegrityError,
  LockFileError,
  PackageNotFoundError,
  RegistryConnectionError,
  RegistryHttpError,
  RegistryResponseError,
  RegistryTimeoutError,
  VersionConflictError,
} from './registry-client/errors.ts';
export { parseLockFile, readLockFile, writeLockFile } from './registry-client/lock-file.ts';
export type { VersionMetadata } from './registry-client/metadata.ts';
export { packageSources } from './registry-client/package-sources.ts';
export { writeFiles } from './registry-client/unpack.ts';
export { isFailedResponse, ValueRegistryClient } from './registry-client/value-client.ts';
export { createToolchain, type InferredName } from './toolchain.ts';
export type { PackageSources } from './types/check.ts';
export { TypeCheckError } from './types/errors.ts';
