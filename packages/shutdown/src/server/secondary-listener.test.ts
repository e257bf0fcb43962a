import { EventEmitter } from 'node:events';
import { describe, expect, it } from 'vitest';
import { addSecondaryListener } from './secondary-listener.ts';

function setUp() {
  const emitter = new EventEmitter();
  const heard: string[] = [];
  const ours = () => void heard.push('ours');
  const users = () => void heard.push("user's");
  return { emitter, heard, ours, users };
}

describe('addSecondaryListener', () => {
  it('is called before a listener that was added earlier', () => {
    const { emitter, heard, ours, users } = setUp();
    emitter.on('upgrade', users);
    addSecondaryListener(emitter, 'upgrade', ours);
    emitter.emit('upgrade');
    expect(heard).toEqual(['ours', "user's"]);
  });

  it('is added once, before the first user listener', () => {
    const { emitter, heard, ours, users } = setUp();
    addSecondaryListener(emitter, 'upgrade', ours);
    expect(emitter.listenerCount('upgrade')).toBe(0);
    emitter.on('other', users);
    expect(emitter.listenerCount('upgrade')).toBe(0);
    emitter.on('upgrade', users);
    emitter.on('upgrade', users);
    emitter.emit('upgrade');
    expect(heard).toEqual(['ours', "user's", "user's"]);
  });

  it('is removed with the last user listener and added again with the next', () => {
    const { emitter, heard, ours, users } = setUp();
    addSecondaryListener(emitter, 'upgrade', ours);
    emitter.once('upgrade', users);
    emitter.emit('upgrade');
    expect(emitter.listenerCount('upgrade')).toBe(0);
    emitter.on('upgrade', users);
    emitter.emit('upgrade');
    expect(heard).toEqual(['ours', "user's", 'ours', "user's"]);
  });

  it('removes its own listeners from the emitter on disposal', () => {
    const { emitter, ours, users } = setUp();
    const secondary = addSecondaryListener(emitter, 'upgrade', ours);
    emitter.on('upgrade', users);
    secondary[Symbol.dispose]();
    expect(emitter.listeners('upgrade')).toEqual([users]);
    expect(emitter.eventNames()).toEqual(['upgrade']);
  });
});
