// Runs `npm start` and `npm test` on a bare machine: any Node >= 18 with npm will do. When Node 24 or
// pnpm 12 is missing, this script runs itself again under both, fetched through npx. It depends on
// nothing but Node, and uses nothing that Node 18 does not know.
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { constants } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const NODE_MAJOR = 24;
const root = dirname(dirname(fileURLToPath(import.meta.url)));
const { packageManager } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
const PNPM = packageManager.split('+')[0];
const PNPM_MAJOR = Number(PNPM.split('@')[1].split('.')[0]);

const environment = { ...process.env, TURBO_TELEMETRY_DISABLED: '1', DO_NOT_TRACK: '1' };
// What npm tells its scripts about itself only makes pnpm warn.
for (const key of Object.keys(environment)) {
  if (/^npm_(config|package|lifecycle|command|execpath|node_execpath)/.test(key))
    delete environment[key];
}
environment.npm_config_update_notifier = 'false';

const relayed = process.env.TEMPER_BOOTSTRAP_ARGS;
const [task, ...args] = relayed === undefined ? process.argv.slice(2) : JSON.parse(relayed);
delete environment.TEMPER_BOOTSTRAP_ARGS;

const say = (text) => process.stderr.write(`temper: ${text}\n`);

/** Runs a command to its end. Signals sent to this process reach it, and it decides when to end. */
function run(command, parameters, env = environment) {
  return new Promise((resolve) => {
    const child = spawn(command, parameters, {
      cwd: root,
      stdio: 'inherit',
      env,
      shell: process.platform === 'win32',
    });
    // A terminal sends Ctrl-C to the whole group; a supervisor sends SIGTERM to this process alone.
    const ignore = () => {};
    const relay = () => child.kill('SIGTERM');
    process.on('SIGINT', ignore);
    process.on('SIGTERM', relay);
    child.on('error', (error) => {
      say(`cannot run ${command}: ${error.message}`);
      resolve(127);
    });
    child.on('exit', (code, signal) => {
      process.removeListener('SIGINT', ignore);
      process.removeListener('SIGTERM', relay);
      resolve(signal === null ? code : 128 + (constants.signals[signal] ?? 0));
    });
  });
}

/** Under `CI` what comes after a failure is run and reported too. */
const KEEPS_GOING = process.env.CI === 'true';
let failure = 0;

async function step(title, command, parameters, keepsGoing = false) {
  say(title);
  const code = await run(command, parameters);
  if (code === 0) return;
  if (!keepsGoing) process.exit(code);
  failure ||= code;
}

function hasPnpm() {
  const found = spawnSync('pnpm', ['--version'], {
    encoding: 'utf8',
    env: environment,
    shell: process.platform === 'win32',
  });
  return found.status === 0 && Number(found.stdout.split('.')[0]) >= PNPM_MAJOR;
}

/** Root tasks of turbo that read sources only, and those that read what is built. */
const SOURCE_CHECKS = ['check:imports', 'check:unused', 'check:reading', 'test:scripts'];
const BUILD_CHECKS = ['check:sizes', 'api:check'];

const TASKS = {
  start: async () => {
    await step(
      'building (cached when nothing changed)',
      'pnpm',
      turbo('build', '--filter=@temper/demo...'),
    );
    process.exit(await run('node', ['apps/demo/dist/main.js', ...args]));
  },
  test: async () => {
    const check = (title, ...parameters) => step(title, 'pnpm', parameters, KEEPS_GOING);
    await check('linting', '--silent', 'lint');
    await check(
      'checking the rules of the sources (cached when nothing changed)',
      ...turbo(...SOURCE_CHECKS, '--continue'),
    );
    await check(
      'building, checking APIs and sizes (cached when nothing changed)',
      ...turbo('build', ...BUILD_CHECKS, '--concurrency=2', '--continue'),
    );
    await check(
      'checking types, testing (cached when nothing changed)',
      ...turbo('typecheck', 'test', '--concurrency=2', '--continue'),
      ...args,
    );
    await step('counting', 'node', ['scripts/count-tests.mjs', '--only', 'unit'], KEEPS_GOING);
    process.exit(failure);
  },
};

function turbo(...parameters) {
  return [
    'exec',
    'turbo',
    'run',
    ...parameters,
    '--output-logs=errors-only',
    '--log-order=grouped',
  ];
}

if (!Object.hasOwn(TASKS, task ?? '')) {
  say(`usage: node scripts/bootstrap.mjs <${Object.keys(TASKS).join('|')}> [arguments]`);
  process.exit(2);
}

const nodeMajor = Number(process.versions.node.split('.')[0]);
if (nodeMajor < NODE_MAJOR || !hasPnpm()) {
  if (relayed !== undefined) {
    say(`Node ${process.versions.node} and no ${PNPM}, even under npx: install them by hand.`);
    process.exit(1);
  }
  say(`Node ${process.versions.node} found; fetching Node ${NODE_MAJOR} and ${PNPM} through npx`);
  const relay = { ...environment, TEMPER_BOOTSTRAP_ARGS: JSON.stringify([task, ...args]) };
  const parameters = ['--yes', '-p', `node@${NODE_MAJOR}`, '-p', PNPM];
  process.exit(await run('npx', [...parameters, '-c', 'node scripts/bootstrap.mjs'], relay));
}

const fresh = !existsSync(join(root, 'node_modules'));
await step(fresh ? 'installing dependencies' : 'checking dependencies', 'pnpm', [
  'install',
  '--frozen-lockfile',
  '--prefer-offline',
  ...(fresh ? [] : ['--reporter=silent']),
]);
await TASKS[task]();
