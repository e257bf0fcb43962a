// The public API of every published package as a committed text: packages/<name>/etc/<entry>.api.md.
//   node scripts/api-reports.mjs check    fails where a report differs from what is built
//   node scripts/api-reports.mjs update   writes the reports
//   node scripts/api-reports.mjs count    prints the number of exported names
// The declarations in dist are read, so build first.
import {
  existsSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { CompilerState, Extractor, ExtractorConfig } from '@microsoft/api-extractor';
import { countExports, lineDifference } from './rules/api-text.mjs';
import { ROOT, readPackages } from './rules/workspace.mjs';

const [task] = process.argv.slice(2);
if (!['check', 'update', 'count'].includes(task)) {
  console.error('usage: node scripts/api-reports.mjs <check|update|count>');
  process.exit(2);
}

const entries = readPackages()
  .filter(({ published }) => published)
  .flatMap(({ name, id, folder, entries, doors }) =>
    doors.map((subpath) => ({
      name,
      id: subpath === '.' ? id : `${id}/${subpath.slice(2)}`,
      folder,
      declarations: entries[subpath].replace('/src/', '/dist/').replace(/\.ts$/, '.d.ts'),
      report: `${folder}/etc/${subpath === '.' ? 'index' : subpath.slice(2).replaceAll('/', '.')}.api.md`,
    })),
  );

const isBuilt = ({ declarations }) => existsSync(join(ROOT, declarations));

const reportName = ({ name, report }) => `${name}.${basename(report)}`;

function configOf({ folder, declarations, ...entry }, scratch) {
  const packageFolder = join(ROOT, folder);
  return ExtractorConfig.prepare({
    configObjectFullPath: undefined,
    packageJsonFullPath: join(packageFolder, 'package.json'),
    configObject: {
      projectFolder: packageFolder,
      mainEntryPointFilePath: join(ROOT, declarations),
      newlineKind: 'lf',
      compiler: {
        overrideTsconfig: {
          compilerOptions: {
            target: 'es2024',
            lib: ['es2024', 'esnext.disposable'],
            module: 'nodenext',
            moduleResolution: 'nodenext',
            types: ['node'],
            typeRoots: [join(packageFolder, 'node_modules/@types')],
            strict: true,
            skipLibCheck: true,
            noEmit: true,
          },
          files: [join(ROOT, declarations)],
        },
      },
      apiReport: {
        enabled: true,
        reportFileName: reportName(entry),
        reportFolder: scratch,
        reportTempFolder: join(scratch, 'temp'),
      },
      docModel: { enabled: false },
      dtsRollup: { enabled: false },
      tsdocMetadata: { enabled: false },
      // Only a declaration that does not compile is a fault; release tags are not used here.
      messages: {
        compilerMessageReporting: { default: { logLevel: 'error' } },
        extractorMessageReporting: { default: { logLevel: 'none' } },
        tsdocMessageReporting: { default: { logLevel: 'none' } },
      },
    },
  });
}

/** The report of one entry point, made from its declarations. */
function makeReport(entry, scratch, compilerState) {
  const { succeeded } = Extractor.invoke(configOf(entry, scratch), {
    localBuild: true,
    compilerState,
    messageCallback: (message) => {
      message.handled = message.logLevel !== 'error';
    },
  });
  if (!succeeded) throw new Error(`The declarations of ${entry.id} do not compile.`);
  return readFileSync(join(scratch, reportName(entry)), 'utf8');
}

const scratch = mkdtempSync(join(tmpdir(), 'temper-api-'));
mkdirSync(join(scratch, 'temp'));
let faults = 0;
let total = 0;
try {
  let compiled = { folder: '', state: undefined };
  for (const entry of entries) {
    if (!isBuilt(entry)) {
      faults++;
      console.error(`${entry.declarations} is missing.\n  Run \`pnpm build\` first.`);
      continue;
    }
    // The entry points of a package share one compilation.
    if (compiled.folder !== entry.folder)
      compiled = {
        folder: entry.folder,
        state: CompilerState.create(configOf(entry, scratch), {
          additionalEntryPoints: entries
            .filter((other) => other.folder === entry.folder && isBuilt(other))
            .map(({ declarations }) => join(ROOT, declarations)),
        }),
      };
    const made = makeReport(entry, scratch, compiled.state);
    const path = join(ROOT, entry.report);
    const committed = existsSync(path) ? readFileSync(path, 'utf8') : undefined;
    if (task === 'count') {
      const count = countExports(made);
      total += count;
      console.log(`${String(count).padStart(5)}  ${entry.id}`);
    } else if (task === 'update' && made !== committed) {
      mkdirSync(join(ROOT, entry.folder, 'etc'), { recursive: true });
      writeFileSync(path, made);
      console.log(`wrote ${entry.report}`);
    } else if (made !== committed) {
      faults++;
      console.error(
        `The public API of ${entry.id} differs from ${entry.report}.\n` +
          '  If that is intended, run `pnpm api:update`, commit the report and add a changeset.',
      );
      console.error(lineDifference(committed ?? '', made));
    }
  }
} finally {
  rmSync(scratch, { recursive: true });
}

const reports = new Set(entries.map(({ report }) => report));
for (const file of globSync('packages/*/etc/*.api.md', { cwd: ROOT })) {
  if (reports.has(file.replaceAll('\\', '/'))) continue;
  if (task === 'update') rmSync(join(ROOT, file));
  else if (task === 'check') {
    faults++;
    console.error(`${file} belongs to no entry point.\n  Run \`pnpm api:update\`.`);
  }
}
if (task === 'count') console.log(`${String(total).padStart(5)}  in all`);
if (task === 'check') console.log(`api: ${entries.length} entry points, ${faults} differ`);
process.exitCode = faults === 0 ? 0 : 1;
