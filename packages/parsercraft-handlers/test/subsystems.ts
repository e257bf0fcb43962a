import { ManualClock, seededRandom } from '@temper/testkit';
import {
  type HardeningOptions,
  type OperationEvent,
  type ParserCraftHardening,
  type PortContext,
  parserCraftHardening,
  type Subsystems,
} from '../src/index.ts';

/** What the subsystems do; tests replace it. */
export interface Script {
  generate: (context: PortContext) => unknown;
  infer: (context: PortContext) => unknown;
  check: (context: PortContext) => unknown;
  unchecked: (request: unknown, reason: unknown) => unknown;
  fetch: (context: PortContext) => unknown;
  isFailure: (value: unknown) => unknown;
  registryProbe: () => unknown;
  request: (context: PortContext) => unknown;
  lastGood: (method: string, params: unknown, key: string | undefined) => unknown;
  lspProbe: () => unknown;
}

export interface FakeSubsystems {
  readonly subsystems: Subsystems;
  readonly script: Script;
  /** How often each was called. */
  readonly calls: Record<keyof Script, number>;
}

/** Four subsystems that run a script. */
export function fakeSubsystems(): FakeSubsystems {
  const script: Script = {
    generate: () => 'int main;',
    infer: () => 'int',
    check: () => 'conforms',
    unchecked: (request, reason) => ({ unchecked: request, reason }),
    fetch: () => ({ version: '1.0.0' }),
    isFailure: (value) => (value as { ok?: boolean }).ok === false,
    registryProbe: () => 'here',
    request: () => 'answer',
    lastGood: () => undefined,
    lspProbe: () => 'here',
  };
  const calls = Object.fromEntries(Object.keys(script).map((key) => [key, 0])) as Record<
    keyof Script,
    number
  >;
  const run = (key: keyof Script, ...args: unknown[]): unknown => {
    calls[key]++;
    return (script[key] as (...args: unknown[]) => unknown)(...args);
  };
  return {
    script,
    calls,
    subsystems: {
      ast: {
        generateCode: (_, context) => run('generate', context),
        inferTypes: (_, context) => run('infer', context),
        probe: 'print(1)',
      },
      protocols: {
        check: (_, context) => run('check', context),
        unchecked: (request, reason) => run('unchecked', request, reason),
        probe: 'Reader',
      },
      registry: {
        fetchPackage: (_, __, context) => run('fetch', context),
        probe: () => run('registryProbe'),
        isFailure: (value) => run('isFailure', value) as boolean,
      },
      lsp: {
        request: (_, __, context) => run('request', context),
        lastGood: (...asked) => run('lastGood', ...asked),
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

/** A hardened ParserCraft over scripted subsystems, in virtual time. */
export interface Hardened extends FakeSubsystems {
  readonly clock: ManualClock;
  readonly made: ParserCraftHardening;
  /** The operations that have ended, in order. */
  readonly ended: OperationEvent[];
}

export function hardened(options: HardeningOptions = {}): Hardened {
  const clock = new ManualClock();
  const fake = fakeSubsystems();
  const made = parserCraftHardening(fake.subsystems, {
    clock,
    random: seededRandom(1),
    ...options,
  });
  const ended: OperationEvent[] = [];
  made.onOperation((event) => ended.push(event));
  return { ...fake, clock, made, ended };
}
