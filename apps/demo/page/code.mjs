// The code of this repository that makes the service survive a fault, as the page shows it. A region of a source
// begins with `// #region <name>` and ends with `// #endregion`.
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const PRESET = 'packages/parsercraft-handlers/src/parsercraft/preset.ts';
const PIPELINE = ['packages/parsercraft-handlers/src/policies.ts', 'pipeline'];
const FETCH = [[PRESET, 'fetch a package'], PIPELINE];
const CLIENT_LIMIT = ['apps/demo/src/http/client-limit.ts', 'client limit'];
const SERVE = 'apps/demo/src/cli/serve-command.ts';

/** Regions by the name of the fault. */
const SHOWN = {
  'registry-outage': FETCH,
  'registry-refused': FETCH,
  'slow-registry': FETCH,
  'slow-leak': [['apps/demo/src/service/registry-outlook.ts', 'outlook']],
  'corrupt-packages': FETCH,
  flapping: FETCH,
  'lsp-crash': [[PRESET, 'ask the language server'], PIPELINE],
  'hostile-input': [['apps/demo/src/http/app.ts', 'bounds of a request']],
  'traffic-spike': [CLIENT_LIMIT],
  'abusive-client': [['apps/demo/src/service/settings.ts', 'bulkheads']],
  'audit-disk-full': [['apps/demo/src/service/audit-trail.ts', 'audit log']],
  shutdown: [
    [SERVE, 'shutdown'],
    [SERVE, 'handlers of the shutdown'],
  ],
  'memory-leak': [['apps/demo/src/service/service.ts', 'health']],
  'event-loop-stall': [[SERVE, 'watchdog']],
  'hung-shutdown': [
    [SERVE, 'shutdown'],
    [SERVE, 'handlers of the shutdown'],
  ],
};

/** The excerpts by the name of the fault: the file from the root of the repository, and its lines. */
export function shownCode() {
  return Object.fromEntries(
    Object.entries(SHOWN).map(([fault, regions]) => [
      fault,
      regions.map(([file, region]) => ({ file, code: excerpt(file, region) })),
    ]),
  );
}

function excerpt(file, region) {
  const path = fileURLToPath(new URL(`../../../${file}`, import.meta.url));
  const lines = readFileSync(path, 'utf8').split('\n');
  const first = lines.findIndex((line) => line.trim() === `// #region ${region}`);
  const last = lines.findIndex((line, at) => at > first && line.trim() === '// #endregion');
  if (first < 0 || last < 0) throw new Error(`${file} has no region '${region}'.`);
  const found = lines.slice(first + 1, last);
  const indent = Math.min(...found.filter((line) => line !== '').map((line) => line.search(/\S/)));
  return found.map((line) => line.slice(indent)).join('\n');
}
