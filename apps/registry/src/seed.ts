import { readdir, readFile } from 'node:fs/promises';
import { join, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { admitTarball } from './admission.ts';
import type { NewVersion, PackageStore } from './store.ts';
import { packTarball } from './tarball.ts';

/** The same folder from `src` and from `dist`. */
const SEED_DIR: string = fileURLToPath(new URL('../seed/', import.meta.url));
const SEEDED = 'seeded';

/** `seed/index.json`: what is published at the first start, in order. */
interface SeedIndex {
  readonly packages: readonly {
    readonly path: string;
    readonly publishedAt: string;
    /** Why the version was yanked, where it was. */
    readonly yanked?: string;
  }[];
}

/**
 * Publishes the standard library into an empty registry, once: all of it in one transaction, so
 * a start that is killed half-way is a start that has not happened.
 *
 * @returns how many versions were published
 */
export async function seedOnce(store: PackageStore, dir: string = SEED_DIR): Promise<number> {
  if (store.setting(SEEDED) !== undefined) return 0;
  const index = JSON.parse(await readFile(join(dir, 'index.json'), 'utf8')) as SeedIndex;
  const entries: { entry: NewVersion; yanked: string | undefined }[] = [];
  for (const { path, publishedAt, yanked } of index.packages) {
    const tarball = await packTarball(await readFiles(join(dir, path)));
    const admitted = await admitTarball(tarball, new Date(publishedAt));
    if (!admitted.ok) {
      throw new Error(`The seed ${path} is not acceptable: ${JSON.stringify(admitted.flaws)}`);
    }
    entries.push({ entry: admitted.entry, yanked });
  }
  return store.transaction(() => {
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
  });
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
