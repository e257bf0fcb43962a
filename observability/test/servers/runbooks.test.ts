import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { RunbookId } from '@temper/runbooks';
import { describe, expect, it } from 'vitest';
import { CASES } from '../runbooks/cases.ts';
import { type Block, matches, readPage } from '../runbooks/page.ts';
import { available, eventually, findProgram, PROMETHEUS, REDIS, root } from './programs.ts';
import { openShell, type Shell } from './runbooks/shell.ts';
import { createWorld, runs, switchOn, type World } from './runbooks/world.ts';

const run = available({
  prometheus: PROMETHEUS,
  'redis-server': REDIS,
  'redis-cli': findProgram('redis-cli'),
  bash: findProgram('bash'),
  curl: findProgram('curl'),
  jq: findProgram('jq'),
});

/** Pages at a time. Each is several processes, and test machines have few cores. */
const AT_A_TIME = 2;
/** How many services are tried until one is without an incident. */
const CALM_TRIES = 2;
/** How long an operator repeats a command until it shows what the page says. */
const PATIENCE_MS = 90_000;
/** Most of this is the wait for a turn. */
const LIMIT_MS = 600_000;

const waiting: (() => void)[] = [];
let free = AT_A_TIME;
async function turn(): Promise<Disposable> {
  if (free > 0) free -= 1;
  else await new Promise<void>((resolve) => waiting.push(resolve));
  return {
    [Symbol.dispose]: () => {
      const next = waiting.shift();
      if (next === undefined) free += 1;
      else next();
    },
  };
}

/** Types a block, again until it prints what is expected, and not what it must not print. */
async function typeUntil(
  shell: Shell,
  block: Block,
  printed: string,
  not: string | undefined,
): Promise<string> {
  const until = performance.now() + PATIENCE_MS;
  for (;;) {
    const { output } = await shell.type(block.run);
    if (matches(output, printed) && (not === undefined || !matches(output, not))) return output;
    if (performance.now() > until) {
      const but = not === undefined ? '' : `\nand not\n${not}`;
      throw new Error(
        `Line ${block.line}:\n${block.run}\nshould print\n${printed}${but}\nand printed\n${output}`,
      );
    }
    await new Promise((resolve) => setTimeout(resolve, 250));
  }
}

/** Types every block of a page, the setup first. Returns what they printed. */
async function follow(
  world: Pick<World, 'env'>,
  blocks: readonly Block[],
  which: 'good' | 'bad',
): Promise<string> {
  using shell = openShell(world.env);
  const outputs: string[] = [];
  for (const block of blocks) {
    const printed = (which === 'bad' ? block.bad : undefined) ?? block.good;
    if (printed === undefined) {
      const { output, code } = await shell.type(block.run);
      expect({ line: block.line, output, code }).toEqual({ line: block.line, output: '', code: 0 });
    } else {
      // A step that prints the same in the incident would not lead anywhere.
      outputs.push(
        await typeUntil(shell, block, printed, which === 'good' ? block.bad : undefined),
      );
    }
  }
  return outputs.join('\n');
}

async function begin(world: World, fault: string): Promise<void> {
  if (fault === 'stop the store') await world.store?.stop();
  else if (fault === 'kill the service') process.kill(world.demo.pid, 'SIGKILL');
  else await switchOn(world, fault);
}

const pages = readdirSync(join(root, 'docs/runbooks'))
  .filter((name) => name !== 'README.md')
  .map((name) => name.replace(/\.md$/, '') as RunbookId);

describe.runIf(run).concurrent('the commands for operators', { timeout: LIMIT_MS }, () => {
  it.each(pages)(
    'of %s print what the page says, and name the cause in the incident',
    async (id) => {
      using _turn = await turn();
      const { fault, cause, alert } = CASES[id];
      const { blocks } = readPage(readFileSync(join(root, `docs/runbooks/${id}.md`), 'utf8'));
      const store = fault === 'stop the store';
      const world = await calmWorld();
      try {
        if (runs(world)) return await incident(world);
      } finally {
        await world[Symbol.asyncDispose]();
      }
      // The page ended the process: the incident needs another one.
      await using second = await createWorld({ store });
      await incident(second);

      /**
       * A world in which every command has printed what the page calls good. On a machine with other work a
       * service can have an incident of its own, of which the metrics tell for minutes: then another one.
       */
      async function calmWorld(): Promise<World> {
        for (let left = CALM_TRIES - 1; ; left--) {
          const world = await createWorld({ store });
          try {
            expect(await follow(world, blocks, 'good')).not.toMatch(cause);
            return world;
          } catch (error) {
            await world[Symbol.asyncDispose]();
            if (left === 0) throw error;
          }
        }
      }

      async function incident(world: World): Promise<void> {
        await begin(world, fault);
        expect(await follow(world, blocks, 'bad')).toMatch(cause);
        if (alert === undefined) return;
        await eventually(
          async () => (await world.query(`ALERTS{alertname="${alert}"}`))[0],
          `the alert ${alert}`,
        );
      }
    },
  );

  it('of docs/runbooks/README.md print what the page says', async () => {
    const { blocks } = readPage(readFileSync(join(root, 'docs/runbooks/README.md'), 'utf8'));
    expect(blocks).toHaveLength(1);
    await follow({ env: {} }, blocks, 'good');
  });

  it('of docs/operations.md print what the page says', async () => {
    using _turn = await turn();
    await using world = await createWorld({ store: false });
    const { blocks } = readPage(readFileSync(join(root, 'docs/operations.md'), 'utf8'));
    expect(blocks.length).toBeGreaterThan(3);
    await follow(world, blocks, 'good');
  });
});
