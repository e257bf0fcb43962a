// Copies the document, one stylesheet, the chart library, excerpts of code and READMEs next to the page's modules.
import { copyFileSync, globSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { shownCode } from './code.mjs';

const here = dirname(fileURLToPath(import.meta.url));
const out = join(here, '../dist/page');
const uplot = dirname(createRequire(import.meta.url).resolve('uplot'));
const read = (path) => readFileSync(path, 'utf8');

mkdirSync(join(out, 'vendor'), { recursive: true });
copyFileSync(join(uplot, 'uPlot.esm.js'), join(out, 'vendor/uplot.js'));

copyFileSync(join(here, 'icon.svg'), join(out, 'icon.svg'));
const sheets = globSync('style/*.css', { cwd: here }).sort();
const styles = [join(uplot, 'uPlot.min.css'), ...sheets.map((sheet) => join(here, sheet))];
writeFileSync(join(out, 'page.css'), styles.map(read).join('\n'));

// The READMEs of the repository and its packages, as text: the page works without a network.
const root = join(here, '../../..');
const readmes = globSync('packages/*/README.md', { cwd: root }).sort();
mkdirSync(join(out, 'readme'), { recursive: true });
for (const readme of ['README.md', ...readmes]) {
  copyFileSync(join(root, readme), join(out, 'readme', `${nameOf(readme)}.txt`));
}

writeFileSync(join(out, 'code.json'), JSON.stringify(shownCode()));

// Preload links let the browser request all modules in one round trip.
const preloads = globSync('**/*.ts', { cwd: join(here, 'src') })
  .filter((name) => name !== 'theme.ts')
  .map((name) => name.replaceAll('\\', '/').replace(/(?:\.d)?\.ts$/, '.js'))
  .filter((name) => name !== 'wire.js')
  .sort()
  .map((name) => `    <link rel="modulepreload" href="/${name}" />`);
const document = read(join(here, 'index.html'));
writeFileSync(
  join(out, 'index.html'),
  document
    .replace('    <!-- modules -->', preloads.join('\n'))
    .replace(
      '<!-- packages -->',
      readmes
        .map((one) => `<a href="/readme/${nameOf(one)}.txt">${nameOf(one)}</a>`)
        .join(',\n        '),
    ),
);

/** `temper` for the README of the repository, or the name of a package. */
function nameOf(readme) {
  return readme.split(/[\\/]/).at(-2) ?? 'temper';
}
