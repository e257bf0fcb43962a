export { UnsupportedConstructError } from './codegen/errors.ts';
export { cRuntime, type ToCOptions, toC } from './codegen/to-c.ts';
export { format, formatTree } from './format/format.ts';
export { OutputLimitError, StepBudgetError } from './interpret/errors.ts';
export { type RunOptions, type RunResult, run, runSync } from './interpret/run.ts';
export {
  BUNDLED_LANGUAGES,
  type BundledLanguage,
  bundledDefinition,
  bundledDefinitionText,
  isBundledLanguage,
} from './lang/bundled.ts';
export type {
  BuiltinFunction,
  CommentStyle,
  LanguageDefinition,
  Operator,
} from './lang/definition.ts';
export { type DefinitionIssue, LanguageDefinitionError } from './lang/errors.ts';
export { loadDefinition } from './lang/load.ts';
export {
  LspClosedError,
  LspExitError,
  LspRequestError,
  LspTimeoutError,
  LspUnavailableError,
} from './lsp/errors.ts';
export { LastGoodAnswers } from './lsp/last-good-answers.ts';
export {
  LspProcess,
  type LspProcessOptions,
  type LspRequestOptions,
  type LspState,
} from './lsp/lsp-process.ts';
export { ownServer, type ServerCommand } from './lsp/server-process.ts';
export type { LspInitialization } from './lsp/workspace.ts';
export type { Expression, Program, Statement, TopLevel } from './parse/ast.ts';
export { ParseError } from './parse/errors.ts';
export { type ParseOptions, type ParseResult, parse, parseStrict } from './parse/parse.ts';
export type { Violation, ViolationKind } from './protocols/conformance.ts';
export type {
  MethodDefinition,
  PropertyDefinition,
  ProtocolDefinition,
  Structure,
} from './protocols/definition.ts';
export { type ProtocolIssue, ProtocolValidationError } from './protocols/errors.ts';
export { structureOf } from './protocols/module-structure.ts';
export {
  type ConformanceOptions,
  type ConformanceReport,
  ProtocolSet,
} from './protocols/protocol-set.ts';
export { type Cache, type CacheEntry, diskCache, memoryCache } from './registry-client/cache.ts';
export {
  type CallOptions,
  type FetchedPackage,
  type Installed,
  type InstallOptions,
  type Kept,
  RegistryClient,
  type RegistryClientOptions,
} from './registry-client/client.ts';
export {
  type Demand,
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
export {
  type LockFile,
  parseLockFile,
  readLockFile,
  writeLockFile,
} from './registry-client/lock-file.ts';
export type { PackageVersions, VersionMetadata } from './registry-client/metadata.ts';
export { packageSources } from './registry-client/package-sources.ts';
export type { Requirements, Resolution } from './registry-client/resolve.ts';
export { type PackageFiles, writeFiles } from './registry-client/unpack.ts';
export {
  isFailedResponse,
  type RegistryResponse,
  ValueRegistryClient,
} from './registry-client/value-client.ts';
export { type Diagnostic, formatDiagnostic } from './source/diagnostic.ts';
export type { Position, Span } from './source/source.ts';
export {
  createToolchain,
  type InferredName,
  type Toolchain,
  type ToolchainOptions,
} from './toolchain.ts';
export {
  type CheckedProgram,
  type CheckOptions,
  check,
  checkStrict,
  type PackageSource,
  type PackageSources,
} from './types/check.ts';
export { TypeCheckError } from './types/errors.ts';
export type { CheckedModule } from './types/module.ts';
