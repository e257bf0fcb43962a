import type { EarlyWarning } from './signals.ts';

/** Users notice when so many calls more than usual are bad: ten of a hundred. */
const NOTICED = 0.1;
/** Steps over which the slope is taken: two minutes of steps of five seconds. */
const SPAN = 24;
/** A slope is not extended further than this. */
const HORIZON_STEPS = 360;

/**
 * When users will notice, from the share of failed and slow calls and its slope over the last 24 steps.
 * A plain straight line: it is an order of magnitude, not an appointment.
 */
export class Outlook {
  readonly #past: Float64Array = new Float64Array(SPAN);
  #steps = 0;

  /**
   * @returns steps until the share of bad calls is {@link NOTICED} above the usual: 0 when it is,
   * `undefined` when the slope does not lead there within 360 steps
   */
  update({ signals: { failures, slow } }: EarlyWarning): number | undefined {
    const bad = Math.max(0, failures.now - failures.usual) + Math.max(0, slow.now - slow.usual);
    const slot = this.#steps % SPAN;
    const span = Math.min(SPAN, this.#steps);
    const before = span < SPAN ? (this.#past[0] as number) : (this.#past[slot] as number);
    this.#past[slot] = bad;
    this.#steps++;
    if (bad >= NOTICED) return 0;
    const slope = (bad - before) / Math.max(1, span);
    const steps = (NOTICED - bad) / slope;
    return slope > 0 && steps <= HORIZON_STEPS ? Math.ceil(steps) : undefined;
  }
}
