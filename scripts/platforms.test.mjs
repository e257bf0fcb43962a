import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { isTest, listFiles, ROOT } from './rules/workspace.mjs';

/** Packages that run where there is no Node: compat bundles each of them for workerd and Chromium. */
const PACKAGES = ['core', 'retry', 'breaker', 'ratelimit', 'recovery'];
/** Only `import type` leaves nothing behind: of `import { type A }` the module is still loaded. */
const IMPORT = /^(?:import|export) (?!type )[^;]*?from 'node:[^']+'/gm;

it.each(PACKAGES)('%s imports no module of Node when it is loaded', (name) => {
  const files = listFiles().filter(
    (file) => file.startsWith(`packages/${name}/src/`) && !isTest(file),
  );
  expect(files.length).toBeGreaterThan(5);
  const found = files.flatMap((file) =>
    [...readFileSync(join(ROOT, file), 'utf8').matchAll(IMPORT)].map(
      ([text]) => `${file}: ${text}`,
    ),
  );
  expect(found).toEqual([]);
});
