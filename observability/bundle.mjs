// The command as one file: who runs it needs neither the packages whose names are in it nor Grafana's
// builders.
import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const root = dirname(fileURLToPath(import.meta.url));
const out = 'dist/temper-observability.mjs';

const { metafile } = await build({
  absWorkingDir: root,
  entryPoints: ['dist/cli.js'],
  outfile: out,
  bundle: true,
  platform: 'node',
  format: 'esm',
  target: 'node20',
  metafile: true,
  // OpenTelemetry's API is looked up by the packages at run time; the constants do without.
  banner: {
    js: "import { createRequire } from 'node:module';\nconst require = createRequire(import.meta.url);",
  },
});

// The licenses of what is inside.
const folders = new Set(
  Object.keys(metafile.inputs).flatMap((file) => {
    const match = /^(.*node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(file);
    return match === null ? [] : [join(root, match[1])];
  }),
);
const notices = [...folders].sort().map((folder) => {
  const { name, version, license } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
  return `${name} ${version} (${license})\n\n${textOf(folder)}`;
});
writeFileSync(join(root, 'dist/LICENSES.txt'), notices.join(`\n\n${'-'.repeat(80)}\n\n`));

function textOf(folder) {
  for (const file of ['LICENSE', 'LICENSE.md', 'LICENSE.txt']) {
    try {
      return readFileSync(join(folder, file), 'utf8');
    } catch {
      // Some packages ship none: their license is named above.
    }
  }
  return '';
}
