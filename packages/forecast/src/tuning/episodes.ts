/** What circuits did in incidents: how often the first trial found the dependency well again. */
export class Episodes {
  /** Incidents that are over, those that ended with the first trial, and openings in all of them. */
  ended = 0;
  firstTrial = 0;
  openings = 0;
  #inThis = 0;

  /** The circuit opened, by failures or because a trial failed. */
  opened(): void {
    this.#inThis++;
  }

  /** The circuit closed because trials succeeded. */
  closed(): void {
    if (this.#inThis === 0) return;
    this.ended++;
    this.openings += this.#inThis;
    if (this.#inThis === 1) this.firstTrial++;
    this.#inThis = 0;
  }

  /** The circuit was set by hand: the incident says nothing. */
  broken(): void {
    this.#inThis = 0;
  }

  clear(): void {
    this.ended = 0;
    this.firstTrial = 0;
    this.openings = 0;
    this.#inThis = 0;
  }
}
