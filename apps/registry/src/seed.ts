import { readdir, readFile } from 'node:fs/promises';
import { join, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { admitTarball } from './admission.ts';
import { type NewVersion, type PackageStore, whenFree } from './store.ts';
import { packTarball } from './tarball.ts';

/** The same relative path works from `src` and `dist`. */
const SEED_DIR: string = fileURLToPath(new URL('../seed/', import.meta.url));
const SEEDED = 'seeded';

/** `seed/index.json`: the packages published on the first start, in order. */
interface SeedIndex {
  readonly packages: readonly {
    readonly path: string;
    readonly publishedAt: string;
    /** Reason for yanking, if the version is yanked. */
    readonly yanked?: string;
  }[];
}

/**
 * Publishes the standard library to an empty registry in a single transaction, so a killed start
 * leaves no partial result.
 *
 * @returns the number of published versions
 */
export async function seedOnce(store: PackageStore, dir: string = SEED_DIR): Promise<number> {
  if (store.setting(SEEDED) !== undefined) return 0;
  const index = JSON.parse(await readFile(join(dir, 'index.json'), 'utf8')) as SeedIndex;
  const entries: { entry: NewVersion; yanked: string | undefined }[] = [];
  for (const { path, publishedAt, yanked } of index.packages) {
    const tarball = await packTarball(await readFiles(join(dir, path)));
    const admitted = await admitTarball(tarball, new Date(publishedAt));
    if (!admitted.ok) {
      throw new Error(`Invalid seed package ${path}: ${JSON.stringify(admitted.flaws)}`);
    }
    entries.push({ entry: admitted.entry, yanked });
  }
  const publishAll = (): number => {
    let published = 0;
    for (const { entry, yanked } of entries) {
      const { name, version } = entry.manifest;
      if (!store.insert(entry)) continue;
      published += 1;
      if (yanked !== undefined) {
        store.setYanked(name, version, { at: entry.publishedAt, reason: yanked });
      }
    }
    store.setSetting(SEEDED, new Date().toISOString());
    return published;
  };
  return whenFree(() => store.transaction(publishAll));
}

async function readFiles(dir: string): Promise<Record<string, Uint8Array>> {
  const files: Record<string, Uint8Array> = {};
  for (const path of (await readdir(dir, { recursive: true, withFileTypes: true })).filter((e) =>
    e.isFile(),
  )) {
    const full = join(path.parentPath, path.name);
    files[
      full
        .slice(dir.length + 1)
        .split(sep)
        .join('/')
    ] = await readFile(full);
  }
  return files;
}
