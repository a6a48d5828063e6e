/**
 * In the browser: each bundle of the vectors through the app's own worker, frames as pictures, lines beside the Python
 * part's; and its raw outputs in a worker like it. `window.report` is what was found, once it is there.
 */
import { Preprocess } from "../src/engine/preprocess";
import type { Picture } from "../src/engine/picture";
import { sentence } from "../src/problems";
import type { EventLine, FromWorker, ToWorker } from "../src/protocol";
import { linesApart } from "./parity";
import type { Entry, Parity, ToProbe } from "./probe_messages";

const wasm = new URL("../wasm/", location.href).href;
const bytes = await (await fetch("../vectors.bin")).arrayBuffer();
const { parity }: { parity: Entry[] } = await (await fetch("../vectors.json")).json();

const part = ([offset, shape]: [number, number[]]): ArrayBuffer =>
  bytes.slice(offset, offset + shape.reduce((a, b) => a * b, 1));
const pictureOf = (place: [number, number[]]): Picture => {
  const [rows, columns, channels = 1] = place[1];
  return { data: new Uint8Array(part(place)), rows, columns, channels };
};

async function probed(entry: Entry, frames: Picture[]): Promise<Parity> {
  const worker = new Worker(new URL("./probe_worker.ts", import.meta.url));
  const [offset, [count]] = entry.raw;
  const wanted = new (entry.dtype === "int8" ? Int8Array : Float32Array)(bytes, offset, count);
  const message: ToProbe = { wasm, bundle: part(entry.bundle), frames, entry, wanted };
  return new Promise((resolve, reject) => {
    worker.onmessage = ({ data }) => ("problem" in data ? reject(new Error(data.problem)) : resolve(data));
    worker.onerror = (event) => reject(new Error(event.message));
    worker.postMessage(message);
  }).finally(() => worker.terminate()) as Promise<Parity>;
}

/** The app's worker, and its next message. */
class App {
  private readonly worker = new Worker(new URL("../src/worker.ts", import.meta.url));
  private readonly said: FromWorker[] = [];
  private waiting: ((message: FromWorker) => void) | null = null;

  constructor() {
    this.worker.onmessage = ({ data }: MessageEvent<FromWorker>) => {
      if (this.waiting) this.waiting(data);
      else this.said.push(data);
      this.waiting = null;
    };
  }

  send(message: ToWorker, transfer: Transferable[] = []): void {
    this.worker.postMessage(message, transfer);
  }

  next(): Promise<FromWorker> {
    const first = this.said.shift();
    return first ? Promise.resolve(first) : new Promise((resolve) => (this.waiting = resolve));
  }

  end(): void {
    this.worker.terminate();
  }
}

async function bitmapOf({ data, rows, columns, channels }: Picture): Promise<ImageBitmap> {
  const image = new ImageData(columns, rows);
  for (let from = 0, to = 0; to < image.data.length; from += channels, to += 4) {
    image.data.set(channels === 1 ? [data[from], data[from], data[from], 255] : [data[from], data[from + 1], data[from + 2], 255], to);
  }
  return createImageBitmap(image);
}

/** Frame after frame, each when the one before is answered, a caption when it is whole. */
async function linesOf(entry: Entry, frames: Picture[]): Promise<{ loaded: FromWorker; lines: EventLine[]; round_ms: number }> {
  const app = new App(), lines: EventLine[] = [], rounds: number[] = [];
  const bundle = part(entry.bundle);
  app.send({ kind: "load", bytes: bundle, wasm }, [bundle]);
  const loaded = await app.next();
  if (loaded.kind !== "loaded") throw new Error(JSON.stringify(loaded));
  for (const [id, frame] of frames.entries()) {
    const bitmap = await bitmapOf(frame), begin = performance.now();
    app.send({ kind: "frame", id, bitmap, ts_ms: entry.times[id] }, [bitmap]);
    for (let open = true; open; ) {
      const message = await app.next();
      if (message.kind === "problem") throw new Error(sentence(message.said));
      if ("events" in message) lines.push(...(message.events ?? []));
      open = message.kind === "caption" && !message.done;
    }
    rounds.push(performance.now() - begin);
  }
  app.send({ kind: "finish" });
  for (let message = await app.next(); ; message = await app.next()) {
    if ("events" in message) lines.push(...(message.events ?? []));
    if (message.kind === "finished") break;
  }
  app.end();
  rounds.sort((a, b) => a - b);
  return { loaded, lines, round_ms: rounds[rounds.length >> 1] };
}

async function refused(): Promise<string[]> {
  const app = new App(), good = part(parity[0].bundle), problems: string[] = [];
  const tampered = new Uint8Array(good.slice());
  tampered[Math.floor(tampered.length / 2)] ^= 1;
  const huge = new DataView(good.slice());
  // The first member's sizes in the ZIP's directory: 200 MB.
  const end = huge.byteLength - 22, at = huge.getUint32(end + 16, true);
  for (const place of [20, 24]) huge.setUint32(at + place, 200_000_000, true);
  for (const bad of [tampered.buffer, huge.buffer as ArrayBuffer, new ArrayBuffer(0), new TextEncoder().encode("<html>").buffer]) {
    app.send({ kind: "load", bytes: bad as ArrayBuffer, wasm });
    const message = await app.next();
    problems.push(message.kind === "problem" ? sentence(message.said) : "");
  }
  app.end();
  return problems;
}

/** Median milliseconds of a camera's frame through the preprocessing, by what it becomes. */
function preprocessing(): Record<string, number> {
  const data = new Uint8ClampedArray(640 * 480 * 4).map((_, at) => (at * 37) % 251);
  const frame = { data, rows: 480, columns: 640, channels: 4 as const };
  const foreground = { learn: 15, detail: 4, threshold: 0.3, motion: 0.12, floor: 20, drift: 0.02 };
  const specs = { "28 x 28 grey": { size: [28, 28] }, "96 x 96 rgb": { size: [96, 96], color: "rgb" }, "64 x 64 foreground": { size: [64, 64], foreground } };
  return Object.fromEntries(Object.entries(specs).map(([name, spec]) => {
    const view = new Preprocess(spec, "preprocess").view();
    const times = Array.from({ length: 120 }, () => {
      const begin = performance.now();
      view.pixels(frame);
      return performance.now() - begin;
    });
    // Behind the frames in which the room is learned, and the compiler at work.
    const steady = times.slice(40).sort((a, b) => a - b);
    return [name, steady[steady.length >> 1]];
  }));
}

async function report(): Promise<unknown> {
  const found: Record<string, unknown> = {};
  for (const entry of parity) {
    const frames = entry.frames.map(pictureOf);
    const outputs = await probed(entry, frames);
    const { loaded, lines, round_ms } = await linesOf(entry, frames);
    const events = lines.filter((line) => line.event).length;
    found[entry.name] = { ...outputs, loaded, lines: lines.length, events, round_ms, apart: linesApart(lines, entry.lines) };
  }
  return { bundles: found, refused: await refused(), preprocessing: preprocessing(), agent: navigator.userAgent };
}

declare global {
  interface Window {
    report?: unknown;
  }
}

report().then(
  (found) => (window.report = found),
  (problem: unknown) => (window.report = { problem: String(problem instanceof Error ? problem.stack : problem) }),
);
