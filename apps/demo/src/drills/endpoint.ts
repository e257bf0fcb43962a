/** Where the service of a demo listens, for drills that come over HTTP like anybody else. */
interface Endpoint {
  readonly url: string;
  readonly token: string;
}

/** Set when the service listens; asked when a drill begins. */
export class EndpointHolder {
  #endpoint: Endpoint | undefined;

  set(endpoint: Endpoint): void {
    this.#endpoint = endpoint;
  }

  /** @throws {Error} before the service listens */
  get(): Endpoint {
    if (this.#endpoint === undefined) throw new Error('The service does not listen.');
    return this.#endpoint;
  }
}
