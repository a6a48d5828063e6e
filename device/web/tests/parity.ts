/** The raw outputs of a bundle's model, frame by frame, for the tests in Node and in the browser. */
import { Bundle } from "../src/engine/bundle";
import { Captioner } from "../src/engine/captioner";
import { Classifier } from "../src/engine/classify";
import { ClipStream } from "../src/engine/clip_stream";
import { ClipModel } from "../src/engine/clips";
import type { Frame } from "../src/engine/picture";
import type { Runtime } from "../src/engine/runtime";
import { argmax } from "../src/engine/scores";
import type { Named, Values } from "../src/engine/tensors";
import type { EventLine } from "../src/protocol";

export interface Outputs {
  /** One after another, in the border's dtype. */
  readonly raw: number[];
  /** Milliseconds in the interpreter of each call (of a captioner, each frame with all its words), in order. */
  readonly latencies: number[];
}

/** @param tokens words that a captioner's decoder is led along, a frame */
export async function outputsOf(
  bytes: ArrayBuffer, runtime: Runtime, frames: Frame[], times: number[], tokens: number,
): Promise<Outputs> {
  const bundle = await Bundle.read(bytes), raw: number[] = [], latencies: number[] = [];
  const keep = (values: Values): void => values.forEach((value) => raw.push(value));
  if (bundle.manifest.task === "classify") {
    const model = await Classifier.load(bundle, runtime);
    for (const frame of frames) {
      const answer = model.predict(frame);
      keep(answer.raw);
      latencies.push(answer.latencyMs);
    }
    model.delete();
  } else if (bundle.manifest.task === "clips") {
    const model = await ClipModel.load(bundle, runtime), stream = new ClipStream(model);
    frames.forEach((frame, at) => {
      for (const step of stream.feed(frame, times[at])) {
        keep(step.raw);
        latencies.push(step.latencyMs);
      }
    });
    model.delete();
  } else {
    const model = await Captioner.load(bundle, runtime);
    for (const frame of frames) {
      const state = model.encode(bundle.manifest.preprocess.pixels(frame));
      Object.keys(state).sort().forEach((name) => keep(state[name]));
      for (let step = 0, token = 1, carried: Named = state; step < tokens; step++) {
        const found = model.feed(token, carried);
        keep(found.raw);
        carried = found.after;
        token = 4 + argmax(found.raw.subarray(4));
      }
      latencies.push(model.latencyMs);
    }
    model.delete();
  }
  return { raw, latencies };
}

export interface Gap {
  readonly values: number;
  /** How many differ, and by how much at most. */
  readonly differ: number;
  readonly most: number;
  readonly answers: number;
  /** How many have the same best class. */
  readonly sameTop1: number;
}

/**
 * How two runs' outputs differ.
 *
 * A frame has `lead` values that are no scores, then `answers` of `classes` each.
 */
export function compared(found: ArrayLike<number>, wanted: ArrayLike<number>, classes: number, lead = 0, answers = 1): Gap {
  if (found.length !== wanted.length) throw new Error(`${found.length} outputs where Python has ${wanted.length}`);
  let differ = 0, most = 0, all = 0, sameTop1 = 0;
  for (let at = 0; at < wanted.length; at++) {
    const difference = Math.abs(found[at] - wanted[at]);
    if (difference) differ++;
    if (!(difference <= most)) most = difference;
  }
  for (let frame = 0; frame < wanted.length; frame += lead + answers * classes) {
    for (let answer = 0; answer < answers; answer++, all++) {
      const begin = frame + lead + answer * classes;
      if (best(found, begin, classes) === best(wanted, begin, classes)) sameTop1++;
    }
  }
  return { values: wanted.length, differ, most, answers: all, sameTop1 };
}

function best(values: ArrayLike<number>, begin: number, classes: number): number {
  let highest = begin;
  for (let at = begin + 1; at < begin + classes; at++) if (values[at] > values[highest]) highest = at;
  return highest - begin;
}

/** What is different in two runs' lines; "" for nothing. Scores may differ by a unit of their last digit. */
export function linesApart(found: EventLine[], wanted: EventLine[]): string {
  for (let at = 0; at < Math.max(found.length, wanted.length); at++) {
    const a = plain(found[at]), b = plain(wanted[at]);
    const scores = Math.abs((found[at]?.score ?? NaN) - (wanted[at]?.score ?? NaN));
    if (a !== b || !(scores < 2e-6)) return `line ${at}: ${JSON.stringify(found[at])}, in Python ${JSON.stringify(wanted[at])}`;
  }
  return "";
}

function plain(line: EventLine | undefined): string {
  if (!line) return "none";
  const { latency_ms: _, score: __, ...rest } = line;
  return JSON.stringify(Object.entries(rest).sort());
}
