import { settle } from '@temper/testkit/clock';
import { describe, expect, it } from 'vitest';
import { Listeners, notify } from './listeners.ts';

describe('listeners', () => {
  it('hear each event, in the order in which they came, until they are taken off', () => {
    const heard: string[] = [];
    const listeners = new Listeners<string>(() => {});
    expect(listeners.empty).toBe(true);
    const listener = (event: string): unknown => heard.push(event);
    const first = listeners.add(listener);
    listeners.add((event) => heard.push(event.toUpperCase()));
    listeners.add(listener);
    listeners.emit('a');
    first[Symbol.dispose]();
    first[Symbol.dispose]();
    listeners.emit('b');
    expect(heard).toEqual(['a', 'A', 'a', 'B', 'b']);
    expect(listeners.empty).toBe(false);
  });

  it('that come or go during an event are not part of it', () => {
    const heard: string[] = [];
    const listeners = new Listeners<string>(() => {});
    listeners.add(() => {
      second[Symbol.dispose]();
      listeners.add(() => heard.push('third'));
    });
    const second = listeners.add(() => heard.push('second'));
    listeners.emit('a');
    expect(heard).toEqual(['second']);
  });

  it('that throw or reject are reported, and harm neither the call nor each other', async () => {
    const errors: unknown[] = [];
    const heard: string[] = [];
    const listeners = new Listeners<string>((error) => errors.push(error));
    listeners.add(() => {
      throw 'sync';
    });
    listeners.add(() => Promise.reject('async'));
    listeners.add(() => ({
      // biome-ignore lint/suspicious/noThenProperty: a foreign promise is what is tested
      then: (_: unknown, reject: (error: unknown) => void) => reject('foreign'),
    }));
    listeners.add((event) => heard.push(event));
    listeners.emit('a');
    await settle();
    expect(heard).toEqual(['a']);
    expect(errors).toEqual(['sync', 'foreign', 'async']);
  });
});

describe('notify', () => {
  it('does nothing without a callback', () => {
    notify(undefined, 'a', () => expect.unreachable());
  });
});
