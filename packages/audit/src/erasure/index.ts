export { type FileKeyStore, fileKeyStore } from './file-key-store.ts';
export type { KeyStore, SubjectKey } from './key-store.ts';
export { memoryKeyStore } from './memory-key-store.ts';
export { type SubjectKeys, type SubjectKeysOptions, subjectKeys } from './subject-keys.ts';
