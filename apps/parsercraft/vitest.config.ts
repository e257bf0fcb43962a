import { mergeConfig } from 'vitest/config';
import shared from '../../vitest.config.ts';

// Compilers, language servers and registries are real processes here, and machines may be busy.
export default mergeConfig(shared, { test: { testTimeout: 30_000, maxWorkers: 2 } });
