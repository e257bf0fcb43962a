import { defineConfig } from 'vitest/config';

// Every file below test/ talks to processes of its own; two at a time keep a small machine honest.
export default defineConfig({ test: { testTimeout: 20_000, hookTimeout: 20_000, maxWorkers: 2 } });
