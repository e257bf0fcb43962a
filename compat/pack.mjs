import { existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { execute } from './processes.mjs';

export const ROOT = join(import.meta.dirname, '..');

/**
 * Packs every package of `packages/` as it would be published.
 *
 * @param target - the folder for the tarballs
 * @param build - whether to build them first
 * @returns {Promise<Map<string, { file: string, dependencies: string[] }>>} by package name
 */
export async function pack(target, build) {
  mkdirSync(target, { recursive: true });
  if (build) {
    console.log('building');
    const turbo = ['exec', 'turbo', 'run', 'build', '--filter=./packages/*'];
    await execute('pnpm', [...turbo, '--output-logs=errors-only'], {
      cwd: ROOT,
      variables: { TURBO_TELEMETRY_DISABLED: '1', DO_NOT_TRACK: '1' },
    });
  }
  console.log('packing');
  const tarballs = new Map();
  for (const folder of readdirSync(join(ROOT, 'packages')).sort()) {
    const manifest = join(ROOT, 'packages', folder, 'package.json');
    if (!existsSync(manifest)) continue;
    const { name, version, dependencies = {} } = JSON.parse(readFileSync(manifest, 'utf8'));
    await execute('pnpm', ['pack', '--pack-destination', target], {
      cwd: join(ROOT, 'packages', folder),
    });
    tarballs.set(name, {
      file: join(target, `${name.replace('@', '').replace('/', '-')}-${version}.tgz`),
      dependencies: Object.keys(dependencies),
    });
  }
  return tarballs;
}
