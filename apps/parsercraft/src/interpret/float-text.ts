/*
 * One canonical text per float, computed in the same way here and in the C code: the fewest digits,
 * from 1 to 17, whose correctly rounded decimal (ties to even, as printf in C) parses back to the
 * same float. JavaScript's own shortest representation breaks some ties differently, so the digits
 * are computed from the exact value.
 */

/** `1.5`, `-0.0`, `1e+20`, `nan`, `inf`. */
export function floatToText(value: number): string {
  if (Number.isNaN(value)) return 'nan';
  if (!Number.isFinite(value)) return value > 0 ? 'inf' : '-inf';
  const sign = value < 0 || Object.is(value, -0) ? '-' : '';
  const magnitude = Math.abs(value);
  if (magnitude === 0) return `${sign}0.0`;
  // JavaScript's text has the minimum number of digits; start there.
  const shortest = magnitude.toExponential().replace(/e.*/, '').replace('.', '').length;
  for (let count = shortest; count <= 17; count += 1) {
    const decimal = roundedDecimal(magnitude, count);
    if (count === 17 || Number(`${decimal.digits}e${decimal.exponent - count + 1}`) === magnitude) {
      return sign + layOut(decimal.digits, decimal.exponent);
    }
  }
  throw new RangeError(`No digits for ${value}.`);
}

/** Rounds the exact value half to even to `count` digits: `d.ddd × 10^exponent`. */
function roundedDecimal(
  magnitude: number,
  count: number,
): { readonly digits: string; readonly exponent: number } {
  const { mantissa, exponent: binary } = parts(magnitude);
  let exponent = Math.floor(Math.log10(magnitude));
  for (;;) {
    // value = numerator / denominator units of the last digit
    const scale = count - 1 - exponent;
    let numerator = mantissa * (binary > 0 ? 2n ** BigInt(binary) : 1n);
    let denominator = binary < 0 ? 2n ** BigInt(-binary) : 1n;
    if (scale > 0) numerator *= 10n ** BigInt(scale);
    else denominator *= 10n ** BigInt(-scale);
    const whole = numerator / denominator;
    const length = whole === 0n ? 0 : `${whole}`.length;
    if (length !== count) {
      // The rounded logarithm can be off by one at a power of ten.
      exponent += length > count ? 1 : -1;
      continue;
    }
    const rest = (numerator % denominator) * 2n;
    const up = rest > denominator || (rest === denominator && whole % 2n === 1n);
    const digits = `${whole + (up ? 1n : 0n)}`;
    return digits.length === count
      ? { digits, exponent }
      : { digits: digits.slice(0, count), exponent: exponent + 1 };
  }
}

/** Decomposes a float into the integers m and e of m × 2^e. */
function parts(magnitude: number): { readonly mantissa: bigint; readonly exponent: number } {
  const view = new DataView(new ArrayBuffer(8));
  view.setFloat64(0, magnitude);
  const bits = view.getBigUint64(0);
  const biased = Number((bits >> 52n) & 0x7ffn);
  const fraction = bits & 0xf_ffff_ffff_ffffn;
  return biased === 0
    ? { mantissa: fraction, exponent: -1074 }
    : { mantissa: fraction | (1n << 52n), exponent: biased - 1075 };
}

function layOut(allDigits: string, exponent: number): string {
  const digits = allDigits.replace(/(?<!0)0+$/, '') || '0';
  if (exponent < -5 || exponent > 15) {
    const tail = digits.length > 1 ? `.${digits.slice(1)}` : '';
    return `${digits[0]}${tail}e${exponent < 0 ? '-' : '+'}${Math.abs(exponent)}`;
  }
  if (exponent < 0) return `0.${'0'.repeat(-exponent - 1)}${digits}`;
  const whole = digits.slice(0, exponent + 1).padEnd(exponent + 1, '0');
  return `${whole}.${digits.slice(exponent + 1) || '0'}`;
}
