import { AsyncLocalStorage } from 'node:async_hooks';
import { afterEach, describe, expect, it, vi } from 'vitest';

/** The module as it is loaded beside this `process`. */
async function besides(process: unknown): Promise<typeof import('./async-context.ts')> {
  vi.stubGlobal('process', process);
  vi.resetModules();
  const loaded = await import('./async-context.ts');
  vi.unstubAllGlobals();
  return loaded;
}

const WITHOUT: [string, unknown][] = [
  ['there is no process', undefined],
  ['a bundler has put an object in its place', { env: {} }],
  ['the platform has no such module', { getBuiltinModule: () => undefined }],
  [
    'it refuses to answer',
    {
      getBuiltinModule() {
        throw new Error('not allowed');
      },
    },
  ],
];

describe('asynchronous contexts', () => {
  afterEach(() => void vi.unstubAllGlobals());

  it('are followed where the platform has them', async () => {
    const { inCurrentContext, asyncScope } = await besides(process);
    const storage = new AsyncLocalStorage<number>();
    const run = storage.run(1, () => inCurrentContext());
    let seen: number | undefined;
    storage.run(2, () =>
      run(() => {
        seen = storage.getStore();
      }),
    );
    expect(seen).toBe(1);
    const scope = asyncScope<string>();
    const later = await scope.run('call', async () => {
      await null;
      return scope.get();
    });
    expect([later, scope.get()]).toEqual(['call', undefined]);
  });

  it.each(WITHOUT)('are done without where %s', async (_name, process) => {
    const { inCurrentContext, asyncScope } = await besides(process);
    const work = vi.fn();
    inCurrentContext()(work);
    expect(work).toHaveBeenCalledTimes(1);
    const scope = asyncScope<string>();
    const inner = (): string[] => [
      scope.get() as string,
      scope.run('inner', () => scope.get() as string),
    ];
    expect(scope.run('outer', inner)).toEqual(['outer', 'inner']);
    expect(() =>
      scope.run('failing', () => {
        throw new Error('broken');
      }),
    ).toThrow('broken');
    expect(scope.get()).toBeUndefined();
  });
});
