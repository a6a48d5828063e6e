/** From scores and log-probabilities to events and sentences, against the Python part step by step. */
import { expect, test } from "vitest";
import { EventDecoder, eventRulesFrom } from "../src/engine/events";
import { type Decoder, repeating } from "../src/engine/hypothesis";
import { quantize } from "../src/engine/quantization";
import { round } from "../src/engine/numbers";
import { FramePicker } from "../src/engine/rate";
import { search } from "../src/engine/search";
import { Scan, Tensor } from "../src/engine/tensors";
import { floats, int8s, missing, vectors } from "./vectors";

const given = test.skipIf(missing);

given("events begin and end at the same steps", () => {
  let events = 0;
  for (const { labels, background, rules, steps, end } of vectors("events")) {
    const decoder = new EventDecoder(labels, background, eventRulesFrom(rules, "events"));
    for (const step of steps) {
      const found = step.reset ? decoder.finish() : [];
      if (step.reset) decoder.reset();
      found.push(...decoder.step(step.ts_ms, Float32Array.from(step.scores)));
      expect(found).toEqual(step.events);
      expect(decoder.running).toEqual(step.running);
      events += found.length;
    }
    expect(decoder.finish()).toEqual(end);
  }
  expect(events).toBeGreaterThan(100);
});

given("the same frames are picked, and held as long", () => {
  for (const { rate, max_gap_ms, times, found } of vectors("rate")) {
    const picker = new FramePicker(rate, max_gap_ms);
    times.forEach((time: number, at: number) => {
      const gap = picker.gap(time);
      if (gap) picker.reset();
      expect([gap, picker.steps(time)]).toEqual(found[at]);
    });
  }
});

given("the same sentences are found, greedy and by beam, with ties", () => {
  for (const vector of vectors("search")) {
    const decoder: Decoder = {
      step: (token, state) => ({
        choices: Float32Array.from(vector.rows[token], (value: number, at: number) =>
          value + 0.5 * vector.rows[state.last[0]][at]),
        state: { last: Int32Array.of(token) },
        attention: null,
      }),
    };
    const { beam, length_penalty: lengthPenalty, no_repeat: noRepeat, max_length: maxLength } = vector.options;
    const steps = search(decoder, { last: Int32Array.of(1) }, { beam, lengthPenalty, noRepeat, maxLength });
    const told: number[] = [];
    let next = steps.next();
    for (; !next.done; next = steps.next()) told.push(...next.value);
    expect([...next.value.ids]).toEqual(vector.ids);
    expect(told).toEqual(vector.told);
    expect(next.value.ended).toBe(vector.ended);
    expect(next.value.logProbability).toBe(vector.log_probability);
    expect(next.value.score).toBeCloseTo(vector.score, 12);
  }
  for (const { ids, found } of vectors("repeating")) {
    found.forEach((words: number[], n: number) => expect(repeating(ids, n)).toEqual(words));
  }
});

given("numbers are rounded and quantised alike", () => {
  for (const { values, found } of vectors("round")) {
    values.forEach((value: number, at: number) => {
      expect(round(value, 3) + 0).toBe(found[at][0] + 0);
      expect(round(value, 6) + 0).toBe(found[at][1] + 0);
    });
  }
  for (const { scale, zero_point: zero, real, held, back } of vectors("quantize")) {
    const found = quantize(floats(real), scale, zero);
    expect(found).toEqual(int8s(held));
    expect(new Tensor("x", [found.length], "int8", scale, zero).decode(found)).toEqual(floats(back));
  }
  for (const { steps, shape, image, found } of vectors("scan")) {
    expect(new Scan(steps).apply(int8s(image), shape)).toEqual(int8s(found));
  }
});
