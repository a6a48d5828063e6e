/** Between real numbers and int8: real = scale * (int8 - zero point). */
import { rint } from "./numbers";

/** Half to even, clipped to [-128, 127]; the division is IEEE float32, so every machine gets the same int8. */
export function quantize(x: Float32Array, scale: number, zeroPoint: number): Int8Array {
  const found = new Int8Array(x.length), step = Math.fround(scale);
  for (let i = 0; i < x.length; i++) {
    found[i] = Math.max(-128, Math.min(127, rint(Math.fround(x[i] / step)) + zeroPoint));
  }
  return found;
}

/** The real values that the int8 values stand for. */
export function dequantize(q: Int8Array, scale: number, zeroPoint: number): Float32Array {
  const found = new Float32Array(q.length), step = Math.fround(scale);
  for (let i = 0; i < q.length; i++) found[i] = (q[i] - zeroPoint) * step;
  return found;
}
