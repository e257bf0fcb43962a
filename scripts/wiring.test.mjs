import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { ROOT, readPackages } from './rules/workspace.mjs';

const readJson = (file) => JSON.parse(readFileSync(join(ROOT, file), 'utf8'));
const { tasks } = readJson('turbo.json');
const { scripts } = readJson('package.json');
const published = readPackages().filter((one) => one.published);

it.each(['//#check:sizes', '//#api:check'])(
  '%s waits for the build of every published package',
  (task) => {
    expect(tasks[task].dependsOn.toSorted()).toEqual(
      published.map(({ id }) => `${id}#build`).sort(),
    );
  },
);

it('runs every check in `pnpm check` and in the tests', () => {
  const checks = Object.keys(scripts).filter((name) =>
    /^check:|^api:check$|^test:scripts$/.test(name),
  );
  const bootstrap = readFileSync(join(ROOT, 'scripts/bootstrap.mjs'), 'utf8');
  for (const check of checks) {
    expect(scripts.check.split(' ')).toContain(check);
    expect(bootstrap).toContain(`'${check}'`);
    expect(tasks).toHaveProperty([`//#${check}`]);
  }
});
