// Copies the document, one stylesheet and the chart library next to the page's compiled modules.
import { copyFileSync, globSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

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
  document.replace('    <!-- modules -->', preloads.join('\n')),
);
