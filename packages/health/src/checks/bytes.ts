/** Formats bytes as MiB, or as GiB from 10 GiB. */
export function mebibytes(bytes: number): string {
  const mebi = bytes / 1_048_576;
  return mebi >= 10_240 ? `${(mebi / 1024).toFixed(1)} GiB` : `${mebi.toFixed(1)} MiB`;
}
