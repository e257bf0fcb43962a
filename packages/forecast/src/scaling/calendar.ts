/** Seasons by name, in milliseconds. */
export const SEASON_MS: Readonly<Record<'day' | 'week', number>> = {
  day: 86_400_000,
  week: 7 * 86_400_000,
};

/** Offsets of time zones change at full quarters of an hour. */
const QUARTER_MS = 900_000;

/**
 * Local time of a time zone. People's habits follow their clocks: when these are set, the season moves
 * with them.
 */
export class Calendar {
  readonly #format: Intl.DateTimeFormat | undefined;
  #quarter = Number.NaN;
  #offset = 0;

  /**
   * @param timeZone - IANA name
   * @throws {RangeError} when there is no such time zone
   */
  constructor(timeZone: string) {
    this.#format =
      timeZone === 'UTC'
        ? undefined
        : new Intl.DateTimeFormat('en-US', {
            timeZone,
            hourCycle: 'h23',
            year: 'numeric',
            month: 'numeric',
            day: 'numeric',
            hour: 'numeric',
            minute: 'numeric',
            second: 'numeric',
          });
  }

  /** @returns milliseconds since the epoch, as if the local time were UTC */
  local(wall: number): number {
    if (this.#format === undefined) return wall;
    const quarter = Math.floor(wall / QUARTER_MS);
    if (quarter !== this.#quarter) {
      this.#quarter = quarter;
      this.#offset = offsetAt(this.#format, quarter * QUARTER_MS);
    }
    return wall + this.#offset;
  }
}

function offsetAt(format: Intl.DateTimeFormat, wall: number): number {
  const part: Record<string, number> = {};
  for (const { type, value } of format.formatToParts(wall)) part[type] = Number(value);
  const { year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0 } = part;
  return Date.UTC(year, month - 1, day, hour, minute, second) - wall;
}
