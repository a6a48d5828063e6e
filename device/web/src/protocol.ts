/**
 * What the page and the worker say to each other: the page sends a bundle and frames, the worker answers each frame.
 *
 * Times are milliseconds of the source, never falling between two resets.
 */

import type { Said } from "./problems";

/** Of a whole bundle: a phone should refuse sooner than run out of memory. */
export const MAX_BYTES = 64 * 2 ** 20;

/** To the worker. A frame's picture is transferred, and closed by the worker whatever becomes of it. */
export type ToWorker =
  | {
      kind: "load";
      /** The whole bundle. */
      bytes: ArrayBuffer;
      /** Absolute address of the folder with the runtime's files, with the slash at its end. */
      wasm: string;
      /** A bundle of this public key only, 32 bytes as hexadecimal digits; any bundle if not given. */
      key?: string;
    }
  | { kind: "frame"; id: number; bitmap: ImageBitmap | VideoFrame; ts_ms: number }
  /** The next frame begins anew. */
  | { kind: "reset" }
  /** The camera has stopped: what ran ends. Answered by `finished`; the next frame begins anew. */
  | { kind: "finish" };

export type Task = "images" | "clips" | "captions";

/** A line of `rnnedge-run --jsonl`: the same keys with the same meaning (docs/device.md). */
export interface EventLine {
  ts_ms: number;
  task: "classify" | "clips" | "captions";
  label: string;
  score: number;
  /** Of a line about a frame: its number, from 0. */
  frame?: number;
  latency_ms?: number;
  reset?: "start" | "gap" | "cut" | "demand";
  event?: "start" | "end";
  start_ms?: number;
  end_ms?: number;
  words?: number;
  reason?: "start" | "scene_cut" | "interval";
}

/**
 * From the worker. Each frame is acknowledged at once by one message with its id: its first `answer`, its first
 * `caption` (which may have no words yet), `skipped`, or a `problem` with that id; then the page may send the next one.
 */
export type FromWorker =
  | {
      kind: "loaded";
      name: string;
      task: Task;
      /** Of a captioner none. */
      labels: string[];
      form: string;
      runtime: string;
      /** Height, width, channels of a model frame. */
      input: [number, number, number];
      /** Who signed the bundle, 16 hexadecimal digits of the key's SHA-256; missing where nobody did. */
      signed_by?: string;
      /** Model steps a second of a clip model. */
      rate?: number;
    }
  /** One step of a classifier or a clip model: none, one or several for a frame. */
  | {
      kind: "answer";
      id: number;
      ts_ms: number;
      label: string;
      score: number;
      scores: number[];
      /** The lines of this step in the order of their times, the step's own among them. */
      events: EventLine[];
      inference_ms: number;
      /** Labels of the events that go on. */
      running?: string[];
      reset?: string;
    }
  /** A caption that grows, or is whole (`done`). */
  | {
      kind: "caption";
      id: number;
      ts_ms: number;
      words: string[];
      done: boolean;
      score?: number;
      /** Of a whole one: the line about it. */
      events?: EventLine[];
      inference_ms?: number;
    }
  /** This frame gets no answer, or no further one: passed over by the model's rate, or nothing was due. */
  | { kind: "skipped"; id: number }
  /**
   * Something cannot be done; what was loaded before stays loaded, unless the model made the runtime crash. `said` is
   * for the user, `detail` for whoever looks closer. A damaged model may also keep the runtime busy for ever: who loads a bundle that nobody vouches for
   * does it in a worker of its own, with a deadline.
   */
  | { kind: "problem"; said: Said; detail?: string; id?: number }
  /** The lines about what ended, and a caption that was not whole. */
  | { kind: "finished"; events: EventLine[] };
