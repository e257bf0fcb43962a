/**
 * Refuses options of a part that the whole sets itself, so that none is ignored without a word.
 *
 * @param owner - who refuses, in messages
 * @param part - the option that holds the part's options
 * @param reserved - the refused options, each with what to do instead
 * @throws {TypeError} naming owner, option and what to do instead
 */
export function checkReserved(
  owner: string,
  part: string,
  options: object,
  reserved: Readonly<Record<string, string>>,
): void {
  for (const [option, instead] of Object.entries(reserved)) {
    if ((options as Record<string, unknown>)[option] === undefined) continue;
    throw new TypeError(`${owner}: ${part}.${option} cannot be set here: ${instead}.`);
  }
}
