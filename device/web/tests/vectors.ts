/** What the Python part computed, written by `tests/web/vectors.py` (`make test-web` does it). */
import { existsSync, readFileSync } from "node:fs";
import type { Picture } from "../src/engine/picture";

const folder = process.env.RNNEDGE_WEB_VECTORS ?? "";
/** Why there is nothing to compare with; "" where there is. */
export const missing = existsSync(`${folder}/vectors.json`) ? "" : "RNNEDGE_WEB_VECTORS names no vectors: make test-web";
const entries = missing ? {} : JSON.parse(readFileSync(`${folder}/vectors.json`, "utf8"));
const bytes = missing ? new Uint8Array(0) : new Uint8Array(readFileSync(`${folder}/vectors.bin`));

export type Place = [offset: number, shape: number[]];

/** The entries of a kind. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any
export const vectors = (kind: string): any[] => entries[kind] ?? [];

const count = (shape: number[]): number => shape.reduce((a, b) => a * b, 1);

export const int8s = ([offset, shape]: Place): Int8Array => new Int8Array(bytes.buffer, offset, count(shape));
export const floats = ([offset, shape]: Place): Float32Array => new Float32Array(bytes.buffer, offset, count(shape));
export const uint8s = ([offset, shape]: Place): Uint8Array => bytes.subarray(offset, offset + count(shape));

/** A picture `[rows, columns]` or `[rows, columns, channels]`. */
export function picture(place: Place): Picture {
  const [rows, columns, channels = 1] = place[1];
  return { data: uint8s(place), rows, columns, channels };
}

/** How many values differ, and by how much at most. */
export function apart(a: ArrayLike<number>, b: ArrayLike<number>): { differ: number; most: number } {
  if (a.length !== b.length) throw new Error(`${a.length} values beside ${b.length}`);
  let differ = 0, most = 0;
  for (let at = 0; at < a.length; at++) {
    const difference = Math.abs(a[at] - b[at]);
    if (difference) differ++;
    if (!(difference <= most)) most = difference;
  }
  return { differ, most };
}
