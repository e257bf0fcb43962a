import { type ApiGlobal, apiKey } from './process-api.ts';

/** Called with what is registered for a signal now: a provider, or `undefined` for none. */
type ProviderListener = (provider: unknown) => void;

/** What to listen to: by the name under which the API keeps it. */
type ProviderListeners = Readonly<Record<string, ProviderListener>>;

/**
 * Hears about the providers of this process, whenever and by whichever copy of the API they are
 * registered, without a timer and at no cost to anybody's reads.
 *
 * The API keeps providers as own properties of one global object, sets each by plain assignment, and
 * takes it away by `delete`. So that object is given a prototype whose accessors see an assignment
 * exactly when no own property is in the way, which is when a provider is registered; they then
 * define the own property that the API meant to make. Reads find that own property and never reach
 * the accessors. A removal is not heard. See docs/adr/0002-hearing-a-provider-arrive.md.
 *
 * @param adopted - called with the global object itself, once there is one
 * @param major - of the API that is watched
 */
export function watchProviders(
  listeners: ProviderListeners,
  adopted: (api: ApiGlobal) => void = () => {},
  major = 1,
): void {
  const root = globalThis as unknown as Record<symbol, ApiGlobal | undefined>;
  const key = apiKey(major);
  const existing = root[key];
  if (existing !== undefined) {
    adopted(existing);
    adopt(existing, listeners);
    return;
  }
  // A copy of core with another protocol may be waiting too; it must hear what we hear.
  const waiting = Object.getOwnPropertyDescriptor(root, key)?.set;
  Object.defineProperty(root, key, {
    configurable: true,
    enumerable: true,
    get: () => undefined,
    set: (api: ApiGlobal) => {
      waiting?.call(root, api);
      Object.defineProperty(root, key, {
        configurable: true,
        enumerable: true,
        writable: true,
        value: api,
      });
      adopted(api);
      adopt(api, listeners);
    },
  });
}

function adopt(api: ApiGlobal, listeners: ProviderListeners): void {
  const registered = api as Record<string, unknown>;
  for (const [signal, listener] of Object.entries(listeners)) {
    if (Object.hasOwn(api, signal)) listener(registered[signal]);
  }
  if (!Object.isExtensible(api)) return; // registered providers are heard; later ones cannot be
  const prototype = Object.create(Object.getPrototypeOf(api) as object | null) as object;
  for (const [signal, listener] of Object.entries(listeners)) {
    const listening = setterOf(Object.getPrototypeOf(api) as object | null, signal);
    Object.defineProperty(prototype, signal, {
      configurable: true,
      get: () => undefined,
      set(this: ApiGlobal, provider: unknown) {
        listening?.call(this, provider);
        Object.defineProperty(this, signal, {
          configurable: true,
          enumerable: true,
          writable: true,
          value: provider,
        });
        listener(provider);
      },
    });
  }
  Object.setPrototypeOf(api, prototype);
}

function setterOf(from: object | null, key: string): ((value: unknown) => void) | undefined {
  let object = from;
  while (object !== null) {
    const found = Object.getOwnPropertyDescriptor(object, key);
    if (found !== undefined) return found.set;
    object = Object.getPrototypeOf(object) as object | null;
  }
  return undefined;
}
