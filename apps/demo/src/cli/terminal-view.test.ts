import { CircuitOpenError } from '@temper/breaker';
import type { OperationEvent } from '@temper/parsercraft-handlers';
import { describe, expect, it } from 'vitest';
import { TerminalView, type Watched } from './terminal-view.ts';

function setUp(columns = 100) {
  let text = '';
  let listener: (event: OperationEvent) => void = () => undefined;
  const breaker: { name: string; state: string; retryAfterMs: number | undefined } = {
    name: 'registry_fetch',
    state: 'closed',
    retryAfterMs: undefined,
  };
  const watched: Watched = {
    breakers: () => [breaker],
    onOperation: (one) => {
      listener = one;
      return {
        [Symbol.dispose]: () => {
          listener = () => undefined;
        },
      };
    },
  };
  const screen = {
    columns,
    write: (chunk: string) => {
      text += chunk;
    },
  };
  const tell = (over: Partial<OperationEvent>): void =>
    listener({
      operation: 'fetch_package',
      resource: 'std.math',
      status: 'success',
      durationMs: 1,
      attempts: 1,
      ...over,
    });
  return { watched, screen, breaker, tell, printed: () => text };
}

describe('TerminalView', () => {
  it('shows the state of each circuit and counts operations by outcome', () => {
    const { watched, screen, breaker, tell } = setUp();
    using view = new TerminalView(screen, watched, false);
    tell({});
    tell({ status: 'degraded', attempts: 0, error: new Error('gone') });
    tell({
      status: 'failure',
      attempts: 0,
      error: new CircuitOpenError('registry_fetch', { state: 'open', retryAfterMs: 100 }),
    });
    tell({ status: 'failure', attempts: 3, error: new Error('gone') });
    breaker.state = 'open';
    breaker.retryAfterMs = 2_340;
    const [, circuits, , row] = view.lines();
    expect(circuits).toBe('circuits: registry_fetch open 2.3 s');
    expect(row?.split(/\s+/)).toEqual(['fetch_package', '1', '1', '1', '1', '4']);
  });

  it('erases its previous output before drawing and prints other lines above itself', () => {
    const { watched, screen, printed } = setUp();
    using view = new TerminalView(screen, watched, false);
    view.draw();
    view.above(() => screen.write('phase outage\n'));
    expect(printed()).toBe(
      '\ncircuits: registry_fetch closed\n' +
        '\u001B[2A\u001B[0J' +
        'phase outage\n' +
        '\ncircuits: registry_fetch closed\n',
    );
  });

  it('truncates lines to the terminal width and colours states only when colour is enabled', () => {
    const { watched, screen, printed } = setUp(24);
    using view = new TerminalView(screen, watched, true);
    expect(view.lines()[1]).toContain('\u001B[32mclosed');
    view.draw();
    for (const line of printed().split('\n')) expect(line.length).toBeLessThan(24);
  });
});
