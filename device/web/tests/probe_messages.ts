/** What the probe's page and worker say to each other. */
import type { Picture } from "../src/engine/picture";
import type { EventLine } from "../src/protocol";
import type { Gap } from "./parity";

/** An entry `parity` of the vectors (tests/web/parity.py). */
export interface Entry {
  readonly name: string;
  readonly bundle: [number, number[]];
  readonly frames: [number, number[]][];
  readonly times: number[];
  readonly tokens: number;
  readonly dtype: "int8" | "float32";
  readonly classes: number;
  readonly lead: number;
  readonly raw: [number, number[]];
  readonly lines: EventLine[];
}

export interface ToProbe {
  readonly wasm: string;
  readonly bundle: ArrayBuffer;
  readonly frames: Picture[];
  readonly entry: Entry;
  readonly wanted: Int8Array | Float32Array;
}

/** Outputs beside the Python part's, and milliseconds in the interpreter. */
export interface Parity extends Gap {
  readonly median_ms: number;
  readonly p95_ms: number;
}
