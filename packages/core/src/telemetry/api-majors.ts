import { safeText } from '../text.ts';
import { watchProviders } from './globals.ts';
import { type ApiGlobal, processApi } from './process-api.ts';

/** Major versions of the API whose providers Temper cannot use, but whose presence explains silence. */
const OTHER_MAJORS = [0, 2, 3];

/**
 * Warns on `diag`, once per process, when providers are registered for another major version of the API
 * alone. The warning waits until `diag` has a logger. Another copy of the same major version is no reason
 * to warn: what it registers is found, and no copy is loaded here that would not accept it.
 */
export class MajorNotice {
  readonly #apis = new Set<ApiGlobal>();
  #said = false;
  #pending: string | undefined;

  /** To be called when `diag` has got a logger. */
  deliver(): void {
    const message = this.#pending;
    if (message === undefined) return;
    for (const api of [processApi(), ...this.#apis]) {
      if (api?.diag === undefined) continue;
      this.#pending = undefined;
      try {
        api.diag.warn(message);
      } catch {
        // The logger of the diagnostics is user code, and there is nowhere left to report.
      }
      return;
    }
  }

  /** Watches for providers of other major versions, which nothing of Temper reaches. */
  watchOtherMajors(): void {
    for (const major of OTHER_MAJORS) {
      let other: ApiGlobal | undefined;
      const arrived = (): void => {
        if (other !== undefined) this.#unreachable(other);
      };
      const adopted = (api: ApiGlobal): void => {
        other = api;
        this.#apis.add(api);
      };
      const listeners = { metrics: arrived, trace: arrived, diag: () => this.deliver() };
      watchProviders(listeners, adopted, major);
    }
  }

  #unreachable(other: ApiGlobal): void {
    const own = processApi();
    if (this.#said || own?.trace !== undefined || own?.metrics !== undefined) return;
    this.#say(
      `@temper/core: OpenTelemetry was registered by @opentelemetry/api ${versionOf(other)}, and Temper ` +
        'uses version 1 of the API. No span, metric or log record of Temper reaches it. Register an ' +
        'SDK for version 1 of the API, or install a version of Temper that supports this one.',
    );
  }

  #say(message: string): void {
    this.#said = true;
    this.#pending = message;
    this.deliver();
  }
}

function versionOf(api: ApiGlobal): string {
  return safeText(api.version, 32);
}
