import { svg } from './dom.ts';
import type { OutcomeName } from './wire.ts';

interface Outcome {
  readonly name: OutcomeName;
  readonly label: string;
  /** Outline around 0,0. Shapes differ, so that outcomes can be told apart without colour. */
  readonly path: string;
}

export const OUTCOMES: readonly Outcome[] = [
  { name: 'success', label: 'answered', path: 'M-4.5 0a4.5 4.5 0 1 0 9 0a4.5 4.5 0 1 0-9 0z' },
  { name: 'degraded', label: 'degraded', path: 'M0-6L6 0L0 6L-6 0z' },
  { name: 'rejected', label: 'turned away', path: 'M-4.5-4.5h9v9h-9z' },
  { name: 'failure', label: 'failed', path: 'M0-6L6 5H-6z' },
];

/** The symbol of an outcome, for legends and text. */
export function markOf({ name, path }: Outcome): SVGSVGElement {
  return svg(
    'svg',
    { class: 'glyph', viewBox: '-7 -7 14 14', 'aria-hidden': 'true' },
    svg('path', { d: path, class: `is-${name}` }),
  );
}
