import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from './pack.mjs';

const manifests = readdirSync(join(ROOT, 'packages'))
  .map((folder) => join(ROOT, 'packages', folder, 'package.json'))
  .map((file) => JSON.parse(readFileSync(file, 'utf8')))
  .filter((manifest) => manifest.private !== true);

/** Names of the published packages. */
export const PACKAGES = manifests.map(({ name }) => name);

/** What an application can import: `@temper/audit`, `@temper/audit/file`, … */
export const ENTRY_POINTS = manifests.flatMap(({ name, exports, publishConfig }) =>
  Object.entries(publishConfig?.exports ?? exports)
    .filter(([, target]) => typeof target === 'object')
    .map(([subpath]) => name + subpath.slice(1)),
);
