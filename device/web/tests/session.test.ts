/** What a session says to the page, on the real runtime. */
import { expect, test } from "vitest";
import { Bundle } from "../src/engine/bundle";
import { Classifier } from "../src/engine/classify";
import type { Runtime } from "../src/engine/runtime";
import { Session } from "../src/engine/session";
import type { FromWorker } from "../src/protocol";
import { nodeRuntime } from "./node_runtime";
import { missing, picture, uint8s, vectors } from "./vectors";

const given = test.skipIf(missing);
const entry = (task: string, name = ""): any =>
  vectors("parity").find((one) => one.task === task && (name ? one.name === name : !one.name.startsWith("forms")));
const open = (task: string, runtime: Runtime): Promise<Session> =>
  Session.open(uint8s(entry(task).bundle).slice().buffer, runtime);
const kinds = (said: FromWorker[]): string[] => said.map((message) => message.kind);

given("frames go on while a caption is written, which grows word by word", async () => {
  const session = await open("captions", await nodeRuntime()), frame = picture(entry("captions").frames[0]);
  expect(kinds(session.feed(frame, 0, 0))).toEqual(["caption"]);
  session.work();
  // Another scene, long after: it falls due when the first caption is whole.
  const other = { ...frame, data: frame.data.map((value) => 255 - value) };
  expect(kinds(session.feed(other, 1, 60_000))).toEqual(["skipped"]);
  const said: FromWorker[] = [];
  for (let more = session.work(); more; more = session.work()) said.push(...more);
  const captions = said.filter((message) => message.kind === "caption");
  expect(captions.every((message) => message.id === 0)).toBe(true);
  expect(captions.map((message) => message.done)).toEqual([...captions.slice(1).map(() => false), true]);
  const last = captions[captions.length - 1];
  expect(last.events?.[0]).toMatchObject({ frame: 0, reason: "start", label: last.words.join(" ") });
  expect(kinds(session.feed(other, 2, 60_100))).toEqual(["caption"]);
  // The camera stops in the middle: the sentence is told whole.
  const finished = session.finish();
  expect(finished.kind === "finished" && finished.events[0].frame).toBe(2);
  expect(session.work()).toBeNull();
  session.delete();
});

given("a reset begins anew, and gives what a fresh stream gives", async () => {
  const session = await open("clips", await nodeRuntime()), frames = entry("clips").frames.slice(0, 40).map(picture);
  const play = (): FromWorker[] => frames.flatMap((frame: any, at: number) => session.feed(frame, at, at * 100));
  const strip = (said: FromWorker[]): unknown[] =>
    said.map((message) => (message.kind === "answer" ? [message.label, message.scores, message.ts_ms] : message.kind));
  const first = play();
  expect(first[0]).toMatchObject({ kind: "answer", reset: "start" });
  session.reset();
  const second = play();
  expect(second[0]).toMatchObject({ kind: "answer", reset: "demand" });
  expect(strip(second)).toEqual(strip(first));
  session.delete();
});

given("several bundles live in one runtime, one after the other and beside each other", async () => {
  const runtime = await nodeRuntime(), frame = picture(entry("classify").frames[0]);
  const kept = await open("classify", runtime), before = kept.feed(frame, 0, 0);
  for (let round = 0; round < 20; round++) {
    const other = await open(["captions", "clips"][round % 2], runtime);
    other.feed(picture(entry("clips").frames[0]), 0, 0);
    other.finish();
    other.delete();
  }
  const [a, b] = [before[0], kept.feed(frame, 0, 0)[0]];
  expect(a.kind === "answer" && b.kind === "answer" && a.scores).toEqual(b.kind === "answer" && b.scores);
});

given("a model that is none is refused, and what was loaded before goes on", async () => {
  const runtime = await nodeRuntime(), session = await open("classify", runtime);
  const bundle = await Bundle.read(uint8s(entry("classify").bundle).slice().buffer), { manifest, members } = bundle;
  const form = manifest.forms[0], good = members.get(form.file)!;
  for (const bad of [new Uint8Array(0), new Uint8Array(1000), good.slice(0, 100)]) {
    await expect(runtime.load(bad, [form])).rejects.toThrow("cannot load the model");
  }
  const named = manifest.forms.map((one) => Object.assign(Object.create(one), { signature: "other" }));
  await expect(runtime.load(good, named)).rejects.toThrow("signature 'other': the model has");
  manifest.forms.forEach((one) => Object.assign(one, { name: "fused" }));
  await expect(Classifier.load(bundle, runtime)).rejects.toThrow("a browser has no fused LSTM");
  expect(kinds(session.feed(picture(entry("classify").frames[0]), 0, 0))).toEqual(["answer"]);
});

given("of a bundle's forms the first one that a browser can run is taken", async () => {
  const runtime = await nodeRuntime(), found = entry("classify", "forms");
  if (!found) return; // bundles of somebody else
  const { manifest } = await Bundle.read(uint8s(found.bundle).slice().buffer);
  expect(manifest.forms.map((form) => form.name)).toEqual(["fused", "loop", "unrolled", "step"]);
  const session = await Session.open(uint8s(found.bundle).slice().buffer, runtime);
  expect(session.loaded.form).toBe("loop");
  session.delete();
});
