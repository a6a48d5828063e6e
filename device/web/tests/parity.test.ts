/** Bundles in the app's runtime, in Node: outputs and lines against the Python part's. */
import { expect, test } from "vitest";
import { Session } from "../src/engine/session";
import type { EventLine, FromWorker } from "../src/protocol";
import { nodeRuntime } from "./node_runtime";
import { compared, linesApart, outputsOf } from "./parity";
import { floats, int8s, missing, picture, type Place, uint8s, vectors } from "./vectors";

const bundleOf = (place: Place): ArrayBuffer => uint8s(place).slice().buffer;

for (const { name, bundle, frames, times, tokens, dtype, classes, lead, raw, lines } of vectors("parity")) {
  test.skipIf(missing)(`${name}: outputs and lines are the Python part's`, async () => {
    const runtime = await nodeRuntime(), pictures = frames.map(picture);
    const { raw: found } = await outputsOf(bundleOf(bundle), runtime, pictures, times, tokens);
    const gap = compared(found, dtype === "int8" ? int8s(raw) : floats(raw), classes, lead, lead ? tokens : 1);
    console.log(`${name}: ${JSON.stringify(gap)}`);
    expect(gap.most).toBeLessThanOrEqual(dtype === "int8" ? 0 : 1e-5);

    const session = await Session.open(bundleOf(bundle), runtime), said: FromWorker[] = [];
    pictures.forEach((frame: ReturnType<typeof picture>, at: number) => {
      said.push(...session.feed(frame, at, times[at]));
      for (let more = session.work(); more; more = session.work()) said.push(...more);
    });
    said.push(session.finish());
    expect(linesApart(said.flatMap((message): EventLine[] => ("events" in message ? (message.events ?? []) : [])), lines)).toBe("");
    session.delete();
  });
}
