/** A camera's way through a captioner: when a caption is due, and how it grows. */
import type { Captioner } from "./captioner";
import type { Frame, Picture } from "./picture";
import { SceneDetector } from "./scene";
import type { Hypothesis } from "./hypothesis";

export type Why = "start" | "scene_cut" | "interval";
// Times of a video are rounded: a frame at 1999.97 ms is the one at two seconds.
const SLACK_MS = 0.5;

/** One caption on its way, driven by whoever has the time. */
export class Writing {
  readonly words: string[] = [];
  found: Hypothesis | null = null;
  latencyMs = 0;
  private readonly steps: Generator<void, Hypothesis, void>;

  /** @param id the frame's */
  constructor(
    private readonly captioner: Captioner,
    readonly id: number,
    readonly tsMs: number,
    readonly reason: Why,
    pixels: Picture,
  ) {
    this.steps = this.write(pixels);
  }

  /** A step of the encoder or the decoder; false when the caption is whole. */
  step(): boolean {
    const next = this.steps.next();
    this.latencyMs = this.captioner.latencyMs;
    if (next.done) this.found = next.value;
    return !next.done;
  }

  /** The mean probability of a word, 0..1, the caption's end counted as one. */
  get score(): number {
    return this.found ? Math.exp(this.found.logProbability / (this.found.ids.length + 1)) : 0;
  }

  private *write(pixels: Picture): Generator<void, Hypothesis, void> {
    const state = this.captioner.encode(pixels);
    yield;
    const steps = this.captioner.search(state);
    for (;;) {
      const next = steps.next();
      if (next.done) return next.value;
      this.words.push(...this.captioner.spoken(next.value));
      yield;
    }
  }
}

/** The first frame gets a caption, then each of a new scene, and each that comes an interval after the last one. */
export class CaptionStream {
  private readonly detector: SceneDetector | null;
  private begunMs: number | null = null; // of the last frame that was taken for a caption
  private cut = false; // a new scene has begun since
  private writing: Writing | null = null;

  constructor(private readonly captioner: Captioner) {
    const { sceneCut } = captioner.spec;
    this.detector = sceneCut === null ? null : new SceneDetector(sceneCut);
  }

  /** The next frame is the first of another scene. */
  reset(): void {
    this.begunMs = null;
    this.cut = false;
    this.detector?.reset();
  }

  /** A frame; the caption that begins with it, or null. None begins before the last is whole. */
  feed(frame: Frame, id: number, tsMs: number): Writing | null {
    const pixels = this.detector && this.captioner.manifest.preprocess.pixels(frame);
    if (this.detector && pixels && this.detector.cut(pixels)) this.cut = true;
    const reason = this.reason(tsMs);
    if (!reason) return null;
    this.begunMs = tsMs;
    this.cut = false;
    const seen = pixels ?? this.captioner.manifest.preprocess.pixels(frame);
    return (this.writing = new Writing(this.captioner, id, tsMs, reason, seen));
  }

  private reason(tsMs: number): Why | "" {
    if (this.writing && !this.writing.found) return "";
    if (this.begunMs === null) return "start";
    if (this.cut) return "scene_cut";
    return tsMs - this.begunMs >= this.captioner.spec.intervalMs - SLACK_MS ? "interval" : "";
  }
}
