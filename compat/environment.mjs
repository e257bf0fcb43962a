import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { CannotRun, execute, start } from './processes.mjs';

/** `npm install` that runs no scripts: nothing here may fetch anything but packages. */
const INSTALL = [
  'install',
  '--ignore-scripts',
  '--no-audit',
  '--no-fund',
  '--prefer-offline',
  '--loglevel=error',
];

/** Binaries of Node by version, so that each is looked up once. */
const nodes = new Map();

/**
 * What a row works with: an empty folder outside the checkout, and the means to fill and use it.
 *
 * @param dir - the folder, made here
 * @param packed - the packed packages, from `pack`
 */
export async function createEnvironment(dir, packed) {
  mkdirSync(dir, { recursive: true });
  const servers = [];
  const tarballs = Object.fromEntries([...packed].map(([name, { file }]) => [name, file]));

  const env = {
    dir,
    /** File of the tarball of each package, by name. */
    tarballs,

    /** Writes a file of this folder, with the folders above it. */
    write(path, text) {
      const file = join(dir, path);
      mkdirSync(dirname(file), { recursive: true });
      writeFileSync(file, text);
      return file;
    },

    /**
     * Installs with npm, from the registry and from tarballs. Without `--force` or
     * `--legacy-peer-deps`: a conflict of peers fails the row.
     *
     * @param deps - `['@temper/retry', 'express@5']`; packages of Temper come from their tarballs
     * @param devDeps - likewise, as devDependencies
     * @param manifest - more fields of package.json, such as `{ type: 'module' }`
     */
    async install(deps, devDeps = [], manifest = {}) {
      const overrides = {};
      for (const name of closure([...deps, ...devDeps].map(nameOf), packed))
        if (![...deps, ...devDeps].includes(name)) overrides[name] = `file:${tarballs[name]}`;
      const dependencies = Object.fromEntries(deps.map(specOf));
      const devDependencies = Object.fromEntries(devDeps.map(specOf));
      const fields = { name: 'environment', version: '1.0.0', private: true, ...manifest };
      const all = {
        ...fields,
        dependencies,
        devDependencies,
        overrides: { ...overrides, ...manifest.overrides },
      };
      env.write('package.json', JSON.stringify(all, null, 2));
      await execute('npm', INSTALL, { cwd: dir, timeoutMs: 600_000 });
    },

    /** Runs a command in this folder; see `execute`. */
    exec(command, args, options = {}) {
      return execute(command, args, { cwd: dir, ...options });
    },

    /** Starts a server in this folder; it is stopped at the end of the row. */
    serve(command, args, options = {}) {
      const server = start(command, args, { cwd: dir, ...options });
      servers.push(server);
      return server;
    },

    /** Runs this at the end of the row, failed or not. */
    onEnd(stop) {
      servers.push({ stop });
    },

    /** Path of a Node binary of this version, such as '20.19' or '26', through npx. */
    async node(version) {
      if (!nodes.has(version)) {
        const script = 'node -p process.execPath';
        nodes.set(version, execute('npx', ['--yes', '-p', `node@${version}`, '-c', script]));
      }
      return (await nodes.get(version)).stdout.trim();
    },

    /** `name version` of an installed package, for `loaded`. */
    versionOf(name, from = '.') {
      const manifest = join(dir, from, 'node_modules', name, 'package.json');
      return `${name} ${JSON.parse(readFileSync(manifest, 'utf8')).version}`;
    },

    /** Folders of the installed copies of a package. */
    async copiesOf(name) {
      const { stdout } = await execute('npm', ['ls', name, '--all', '--parseable'], {
        cwd: dir,
        mayFail: true,
      });
      return stdout.split('\n').filter((line) => line.endsWith(`/${name}`) && existsSync(line));
    },

    /** The error to throw for what this machine lacks. */
    cannotRun(why) {
      return new CannotRun(why);
    },

    async stop() {
      for (const server of servers.reverse()) await server.stop();
    },
  };
  return env;

  function specOf(spec) {
    const name = nameOf(spec);
    if (name === spec && packed.has(name)) return [name, `file:${tarballs[name]}`];
    return [name, spec.slice(name.length + 1) || '*'];
  }
}

function nameOf(spec) {
  const at = spec.indexOf('@', 1);
  return at === -1 ? spec : spec.slice(0, at);
}

/** The packages of Temper among these, and those that they depend on. */
function closure(names, packed) {
  const found = new Set();
  const visit = (name) => {
    if (!packed.has(name) || found.has(name)) return;
    found.add(name);
    for (const dependency of packed.get(name).dependencies) visit(dependency);
  };
  for (const name of names) visit(name);
  return found;
}
