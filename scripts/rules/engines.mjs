/** The lowest version of a range `>=20.19`, the only form that the packages use. */
export function lowestOf(range) {
  const match = /^>=(\d+(?:\.\d+){0,2})$/.exec(range);
  if (match === null) throw new Error(`engines.node must look like >=20.19, got ${range}.`);
  return match[1];
}

/** Whether a version such as `22.15.1` is in a range such as `>=20.19`. */
export function isSupported(range, version) {
  const numbers = (text) => text.split('.').map(Number);
  const given = numbers(version);
  for (const [index, least] of numbers(lowestOf(range)).entries()) {
    if (given[index] !== least) return given[index] > least;
  }
  return true;
}
