/** The address and token of the service, for drills that call it over HTTP. */
interface Endpoint {
  readonly url: string;
  readonly token: string;
}

/** Holds the endpoint, which is known only after the service listens. */
export class EndpointHolder {
  #endpoint: Endpoint | undefined;

  set(endpoint: Endpoint): void {
    this.#endpoint = endpoint;
  }

  /** @throws {Error} before the service listens */
  get(): Endpoint {
    if (this.#endpoint === undefined) throw new Error('The service is not listening yet.');
    return this.#endpoint;
  }
}
