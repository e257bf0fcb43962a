import { EventEmitter } from 'node:events';
import { describe, expect, it } from 'vitest';
import { accompany } from './companion.ts';

function setUp() {
  const emitter = new EventEmitter();
  const heard: string[] = [];
  const ours = () => void heard.push('ours');
  const users = () => void heard.push("user's");
  return { emitter, heard, ours, users };
}

describe('accompany', () => {
  it('comes before a listener that is there already', () => {
    const { emitter, heard, ours, users } = setUp();
    emitter.on('upgrade', users);
    accompany(emitter, 'upgrade', ours);
    emitter.emit('upgrade');
    expect(heard).toEqual(['ours', "user's"]);
  });

  it('comes with the first listener, before it, and once', () => {
    const { emitter, heard, ours, users } = setUp();
    accompany(emitter, 'upgrade', ours);
    expect(emitter.listenerCount('upgrade')).toBe(0);
    emitter.on('other', users);
    expect(emitter.listenerCount('upgrade')).toBe(0);
    emitter.on('upgrade', users);
    emitter.on('upgrade', users);
    emitter.emit('upgrade');
    expect(heard).toEqual(['ours', "user's", "user's"]);
  });

  it('goes with the last listener, and comes again with the next', () => {
    const { emitter, heard, ours, users } = setUp();
    accompany(emitter, 'upgrade', ours);
    emitter.once('upgrade', users);
    emitter.emit('upgrade');
    expect(emitter.listenerCount('upgrade')).toBe(0);
    emitter.on('upgrade', users);
    emitter.emit('upgrade');
    expect(heard).toEqual(['ours', "user's", 'ours', "user's"]);
  });

  it('leaves nothing behind when it is disposed of', () => {
    const { emitter, ours, users } = setUp();
    const companion = accompany(emitter, 'upgrade', ours);
    emitter.on('upgrade', users);
    companion[Symbol.dispose]();
    expect(emitter.listeners('upgrade')).toEqual([users]);
    expect(emitter.eventNames()).toEqual(['upgrade']);
  });
});
