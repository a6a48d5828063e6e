/** The worker: bundle and frames in, answers out, so that the page never waits for the model. */
import { InputError } from "./engine/errors";
import { loadRuntime, log } from "./engine/loader";
import type { Rgba } from "./engine/picture";
import { hasCrashed, type Runtime, textOf } from "./engine/runtime";
import { Session } from "./engine/session";
import { said } from "./problems";
import type { FromWorker, ToWorker } from "./protocol";

let runtime: Promise<Runtime> | null = null;
let session: Session | null = null;
let canvas: OffscreenCanvas | null = null;
let working = false;
// One message after the other: what is sent after a bundle is for that bundle.
let turn: Promise<void> = Promise.resolve();

const say = (message: FromWorker): void => self.postMessage(message);

self.onmessage = ({ data }: MessageEvent<ToWorker>): void => {
  turn = turn.then(() => answer(data)).catch((problem: unknown) => fail(problem, data));
};

function fail(problem: unknown, data?: ToWorker): void {
  if (hasCrashed(problem)) session = runtime = null; // the next bundle gets another
  const why = problem instanceof InputError ? problem.said : said("the model failed: {detail}", { detail: textOf(problem) });
  say({ kind: "problem", said: why, detail: log.join("\n"), ...(data?.kind === "frame" && { id: data.id }) });
}

async function answer(message: ToWorker): Promise<void> {
  if (message.kind === "load") return load(message);
  if (message.kind === "frame") return feed(message);
  if (message.kind === "reset") session?.reset();
  else say(session?.finish() ?? { kind: "finished", events: [] });
}

async function load({ bytes, wasm, key }: ToWorker & { kind: "load" }): Promise<void> {
  runtime ??= loadRuntime(wasm);
  try {
    const opened = await Session.open(bytes, await runtime, key);
    session?.delete();
    session = opened;
  } catch (problem) {
    if (!(await runtime.catch(() => null))) runtime = null; // it may be there the next time
    throw problem;
  }
  say(session.loaded);
}

function feed({ id, bitmap, ts_ms }: ToWorker & { kind: "frame" }): void {
  try {
    if (!session) return say({ kind: "skipped", id });
    session.feed(frameOf(bitmap), id, ts_ms).forEach(say);
  } finally {
    bitmap.close();
  }
  if (!working) void work(session);
}

/** Whatever takes longer than a frame, a part at a time: frames that come meanwhile are answered. */
async function work(current: Session): Promise<void> {
  working = true;
  try {
    while (session === current) {
      const said = current.work();
      if (!said) break;
      said.forEach(say);
      await rest();
    }
  } catch (problem) {
    fail(problem);
  } finally {
    working = false;
  }
}

/** Lets the messages that have come be answered. A timer would wait for milliseconds. */
function rest(): Promise<void> {
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      port1.close();
      resolve();
    };
    port2.postMessage(null);
  });
}

/** The pixels of a picture as the canvas has them. */
function frameOf(bitmap: ImageBitmap | VideoFrame): Rgba {
  const [columns, rows] =
    bitmap instanceof ImageBitmap ? [bitmap.width, bitmap.height] : [bitmap.displayWidth, bitmap.displayHeight];
  canvas ??= new OffscreenCanvas(columns, rows);
  if (canvas.width !== columns || canvas.height !== rows) [canvas.width, canvas.height] = [columns, rows];
  const context = canvas.getContext("2d", { willReadFrequently: true, alpha: false });
  if (!context) throw new InputError(said("this browser gives a worker no canvas: update it"));
  context.drawImage(bitmap, 0, 0);
  return { data: context.getImageData(0, 0, columns, rows).data, rows, columns, channels: 4 };
}
