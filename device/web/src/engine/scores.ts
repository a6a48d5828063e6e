/** From what a graph gives to probabilities. */
import type { Tensor, Values } from "./tensors";

export interface Scores {
  /** Of the highest probability; the first of equals. */
  readonly index: number;
  /** Probabilities, `[K]`. */
  readonly scores: Float32Array;
}

/** Of raw outputs `[K]` that are logits, or probabilities already. */
export function scoresOf(raw: Values, y: Tensor, output: "logits" | "probabilities"): Scores {
  const real = y.decode(raw), scores = output === "logits" ? softmax(real) : real;
  return { index: argmax(scores), scores };
}

function softmax(real: Float32Array): Float32Array {
  let highest = -Infinity, sum = 0;
  for (const value of real) if (value > highest) highest = value;
  const powers = real.map((value) => Math.exp(value - highest));
  for (const power of powers) sum += power;
  return powers.map((power) => power / sum);
}

export function argmax(values: Values): number {
  let best = 0;
  for (let at = 1; at < values.length; at++) if (values[at] > values[best]) best = at;
  return best;
}
