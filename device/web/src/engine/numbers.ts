/** Roundings as the Python part has them: halves go to the even neighbour. */

/** `np.rint`: the nearest whole number, of two equally near ones the even one. */
export function rint(value: number): number {
  const below = Math.floor(value);
  const rest = value - below;
  if (rest !== 0.5) return rest < 0.5 ? below : below + 1;
  return below % 2 === 0 ? below : below + 1;
}

/** Python's `round(value, digits)`: of the double itself, not of its product with a power of ten. */
export function round(value: number, digits: number): number {
  if (!Number.isFinite(value) || Math.abs(value) >= 1e21) return value;
  const exact = Math.abs(value).toFixed(100);
  const cut = exact.length - 100 + digits;
  let found = Number(Math.abs(value).toFixed(digits));
  // toFixed rounds halves up: an even last digit before an exact half stays.
  if (/^50*$/.test(exact.slice(cut)) && Number(exact[cut - 1]) % 2 === 0) found = Number(exact.slice(0, cut));
  return value < 0 ? -found : found;
}

export function product(numbers: readonly number[]): number {
  return numbers.reduce((a, b) => a * b, 1);
}
