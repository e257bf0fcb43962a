import type { PortContext, Subsystems } from '../src/index.ts';

/** What a subsystem does when it is asked; tests replace it. */
export interface Script {
  generate: (context: PortContext) => unknown;
  infer: () => unknown;
  check: () => unknown;
  fetch: (context: PortContext) => unknown;
  registryProbe: () => unknown;
  request: () => unknown;
  lastGood: () => unknown;
  lspProbe: () => unknown;
}

export interface FakeSubsystems {
  readonly subsystems: Subsystems;
  readonly script: Script;
  /** How often each was asked. */
  readonly calls: Record<keyof Script, number>;
}

/** Four subsystems that do as they are told. */
export function fakeSubsystems(): FakeSubsystems {
  const script: Script = {
    generate: () => 'int main;',
    infer: () => 'int',
    check: () => 'conforms',
    fetch: () => ({ version: '1.0.0' }),
    registryProbe: () => 'here',
    request: () => 'answer',
    lastGood: () => undefined,
    lspProbe: () => 'here',
  };
  const calls = Object.fromEntries(Object.keys(script).map((key) => [key, 0])) as Record<
    keyof Script,
    number
  >;
  const run = (key: keyof Script, context?: PortContext): unknown => {
    calls[key]++;
    return script[key](context as PortContext);
  };
  return {
    script,
    calls,
    subsystems: {
      ast: {
        generateCode: (_, context) => run('generate', context),
        inferTypes: () => run('infer'),
        probe: 'print(1)',
      },
      protocols: {
        check: () => run('check'),
        unchecked: (request, reason) => ({ unchecked: request, reason }),
        probe: 'Reader',
      },
      registry: {
        fetchPackage: (_, __, context) => run('fetch', context),
        probe: () => run('registryProbe'),
        isFailure: (value) => (value as { ok?: boolean }).ok === false,
      },
      lsp: {
        request: () => run('request'),
        lastGood: () => run('lastGood'),
        probe: () => run('lspProbe'),
      },
    },
  };
}

/** Throws an error that says what kind it is. */
export function failing(kind: string, message = `a ${kind} error`): () => never {
  return () => {
    throw Object.assign(new Error(message), { kind });
  };
}
