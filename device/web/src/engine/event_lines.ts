/** What is said about an answer: lines as `rnnedge-run --jsonl` writes them. */
import type { EventLine } from "../protocol";
import type { Writing } from "./caption_stream";
import type { Answer } from "./classify";
import type { ClipStep } from "./clip_stream";
import type { Event } from "./events";
import type { BundleTask } from "./form";
import { round } from "./numbers";

/** The line about a frame's label; of a clip model about a step. */
export function answerLine(answer: Answer, label: string, frame: number, tsMs: number, task: BundleTask): EventLine {
  const score = round(answer.scores[answer.index], 6), latency_ms = round(answer.latencyMs, 4);
  return { ts_ms: round(tsMs, 3), frame, task, label, score, latency_ms };
}

/** The line about the start or end of an event. */
export function eventLine(event: Event, task: BundleTask): EventLine {
  return { task, ...event };
}

/** Every line of one step in the order of their times: what a reset ended comes before the step that began anew. */
export function stepLines(step: ClipStep, frame: number): EventLine[] {
  const line = answerLine(step, step.label, frame, step.tsMs, "clips");
  if (step.reset) line.reset = step.reset;
  return [line, ...step.events.map((event) => eventLine(event, "clips"))].sort((a, b) => a.ts_ms - b.ts_ms);
}

/** The line about a whole caption, and the frame it is about. */
export function captionLine(writing: Writing): EventLine {
  const { words, reason } = writing;
  return {
    ts_ms: round(writing.tsMs, 3),
    frame: writing.id,
    task: "captions",
    label: words.join(" "),
    score: round(writing.score, 6),
    latency_ms: round(writing.latencyMs, 4),
    words: words.length,
    reason,
  };
}
