const KEY = 'parsercraft-operator';

/** The token of the fragment of an address, `#token=…`. */
function tokenIn(fragment: string): string | undefined {
  return new URLSearchParams(fragment.replace(/^#/, '')).get('token') ?? undefined;
}

/**
 * Takes the token of the operator from the address, which the service printed at startup, and removes it
 * there, so that it is in no bookmark or history. It is kept until the tab is closed.
 */
function takeToken(): string | undefined {
  const given = tokenIn(location.hash);
  if (given === undefined) return sessionStorage.getItem(KEY) ?? undefined;
  sessionStorage.setItem(KEY, given);
  history.replaceState(null, '', `${location.pathname}${location.search}`);
  return given;
}

let token = takeToken();

/** The credentials of the operator; none in a page that was opened without the token. */
export function credentials(): Readonly<Record<string, string>> {
  return token === undefined ? {} : { authorization: `Bearer ${token}` };
}

/** Whether the page can switch faults. */
export function isOperator(): boolean {
  return token !== undefined;
}

/** Forgets a token that the service does not know, for example since it was restarted. */
export function forgetToken(): void {
  token = undefined;
  sessionStorage.removeItem(KEY);
}
