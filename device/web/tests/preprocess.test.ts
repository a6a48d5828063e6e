/** The preprocessing against OpenCV's, on drawn frames of many sizes. */
import { expect, test } from "vitest";
import { Preprocess } from "../src/engine/preprocess";
import { SceneDetector, thumbnail } from "../src/engine/scene";
import { apart, floats, missing, picture, uint8s, vectors } from "./vectors";

const given = test.skipIf(missing);

given("pixels are at most one level from OpenCV's, and nearly all the same", () => {
  let differ = 0, all = 0;
  for (const { spec, frame, pixels, input } of vectors("preprocess")) {
    const preprocess = new Preprocess(spec, "preprocess");
    const found = preprocess.pixels(picture(frame)), wanted = uint8s(pixels);
    const gap = apart(found.data, wanted), what = JSON.stringify({ size: spec.size, fit: spec.fit, frame: frame[1], ...gap });
    // Spreading the grey values spreads a difference of one level, too.
    expect(gap.most, what).toBeLessThanOrEqual(spec.equalize ? 3 : 1);
    differ += gap.differ;
    all += wanted.length;
    if (!gap.differ) expect(apart(preprocess.lookUp(found, preprocess.table), floats(input)).most).toBe(0);
  }
  console.log(`preprocessing: ${differ} of ${all} pixels differ from OpenCV's`);
  expect(all).toBeGreaterThan(100_000);
  expect(differ / all).toBeLessThan(1e-3);
});

given("foreground and motion are the same", () => {
  for (const { spec, frames, pixels, pauses, resets } of vectors("foreground")) {
    const view = new Preprocess(spec, "preprocess").view();
    for (const [number, frame] of frames.entries()) {
      if (pauses.includes(number)) view.pause();
      if (resets.includes(number)) view.reset();
      expect(apart(view.pixels(picture(frame)).data, uint8s(pixels[number])), `frame ${number}`).toEqual({ differ: 0, most: 0 });
    }
  }
});

given("scene cuts are the same", () => {
  for (const { threshold, frames, thumbnails, cuts } of vectors("scene")) {
    const detector = new SceneDetector(threshold);
    for (const [number, frame] of frames.entries()) {
      const gap = apart(thumbnail(picture(frame)), uint8s(thumbnails[number]));
      expect(gap.most, JSON.stringify([frame[1], gap])).toBeLessThanOrEqual(1);
      expect(detector.cut(picture(frame))).toBe(cuts[number]);
    }
  }
});
