/** The page's side of the worker, with a worker that says what it is told to. */
import { beforeEach, expect, test, vi } from "vitest";
import { Engine } from "../src/page/engine";
import { said } from "../src/problems";
import type { FromWorker, ToWorker } from "../src/protocol";

class Told {
  static all: Told[] = [];
  onmessage: ((event: { data: FromWorker }) => void) | null = null;
  onerror: ((event: { message: string; preventDefault(): void }) => void) | null = null;
  readonly heard: ToWorker[] = [];
  ended = false;

  constructor() {
    Told.all.push(this);
  }

  postMessage(message: ToWorker): void {
    this.heard.push(message);
  }

  say(data: FromWorker): void {
    this.onmessage?.({ data });
  }

  terminate(): void {
    this.ended = true;
  }
}

const loaded: FromWorker = { kind: "loaded", name: "a", task: "captions", labels: [], form: "", runtime: "", input: [1, 1, 1] };
const caption = (words: string[], done = false): FromWorker => ({ kind: "caption", id: 7, ts_ms: 0, words, done });
const picture = (): any => ({ close: vi.fn() });
const listener = (): any =>
  Object.fromEntries(["loaded", "answer", "caption", "done", "problem", "finished", "gone"].map((name) => [name, vi.fn()]));

beforeEach(() => {
  Told.all = [];
  vi.stubGlobal("Worker", Told);
  vi.stubGlobal("document", { baseURI: "https://phone.test/" });
});

function running(): [Engine, any, Told] {
  const heard = listener(), engine = new Engine(heard);
  engine.load(new ArrayBuffer(1));
  Told.all[0]!.say(loaded);
  return [engine, heard, Told.all[0]!];
}

test("a frame is done once, however often its caption grows", () => {
  const [engine, heard, worker] = running();
  engine.frame(7, picture(), 0);
  for (const said of [caption([]), caption(["a"]), caption(["a", "dog"]), caption(["a", "dog"], true)]) worker.say(said);
  expect(heard.caption).toHaveBeenCalledTimes(4);
  expect(heard.done).toHaveBeenCalledTimes(1);
});

test("a refused bundle leaves the one before at work", () => {
  const [engine, heard, worker] = running();
  engine.load(new ArrayBuffer(1));
  const trial = Told.all[1]!;
  trial.say({ kind: "problem", said: said("damaged or not a bundle") });
  expect(heard.problem.mock.calls[0][0]).toEqual({ key: "notLoaded", gaps: { why: said("damaged or not a bundle") } });
  expect([trial.ended, worker.ended]).toEqual([true, false]);
  engine.frame(8, picture(), 0);
  expect(worker.heard.at(-1)?.kind).toBe("frame");
});

test("a bundle that is ready takes over, and the frame that the one before had is done", () => {
  const [engine, heard, worker] = running();
  engine.frame(9, picture(), 0);
  engine.load(new ArrayBuffer(1));
  Told.all[1]!.say(loaded);
  expect(worker.ended).toBe(true);
  expect(heard.done).toHaveBeenCalledExactlyOnceWith(9);
});

test("without a worker a frame is given back", () => {
  const [engine, heard, worker] = running();
  worker.onerror?.({ message: "out of memory", preventDefault: () => {} });
  expect(heard.gone).toHaveBeenCalledWith("out of memory");
  const frame = picture();
  engine.frame(1, frame, 0);
  expect(frame.close).toHaveBeenCalled();
});
