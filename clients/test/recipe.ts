import { mkdir, readFile, writeFile } from 'node:fs/promises';

const RECIPES = new URL('../../docs/recipes/', import.meta.url);
const OUT = new URL('../test-results/recipes/', import.meta.url);

/**
 * The first code block of a recipe, as a module.
 *
 * @param name - of the page in `docs/recipes`, without its extension
 */
export async function recipe<M>(name: string): Promise<M> {
  const page = await readFile(new URL(`${name}.md`, RECIPES), 'utf8');
  const code = /^```js\n([\s\S]*?)^```$/m.exec(page)?.[1];
  if (code === undefined) throw new Error(`docs/recipes/${name}.md has no code.`);
  await mkdir(OUT, { recursive: true });
  const file = new URL(`${name}.mjs`, OUT);
  await writeFile(file, code);
  return (await import(file.href)) as M;
}
