/** A camera's way through a clip model: frames picked, state carried and reset, events decoded. */
import type { Answer } from "./classify";
import type { ClipModel } from "./clips";
import { type Event, EventDecoder } from "./events";
import type { Frame } from "./picture";
import type { View } from "./preprocess";
import { FramePicker } from "./rate";
import { SceneDetector } from "./scene";
import { scoresOf } from "./scores";
import { RowStepper } from "./stepper";
import type { Values } from "./tensors";

export type Reason = "start" | "gap" | "cut" | "demand";
// The reasons to begin anew after which a fixed camera's room is unknown.
const NEW_ROOM: Reason[] = ["start", "cut", "demand"];

/** The answer of one model step. */
export interface ClipStep extends Answer {
  /** The step's time: its frame's, or before it where a frame is held for several steps. */
  readonly tsMs: number;
  readonly label: string;
  /** What began or ended with this step. */
  readonly events: Event[];
  /** Labels of the events that go on. */
  readonly running: string[];
  /** Why the state began anew with this step; "" where it was carried over. */
  readonly reset: Reason | "";
}

export class ClipStream {
  private readonly stepper: RowStepper;
  private readonly view: View;
  private readonly picker: FramePicker;
  private readonly detector: SceneDetector | null;
  private readonly decoder: EventDecoder;
  private demand: Reason | "" = "start";
  private reason: Reason | "" = "";
  private ended: Event[] = []; // not told yet

  constructor(private readonly model: ClipModel) {
    const { clip, labels, preprocess } = model.manifest;
    if (!clip) throw new Error("a clip model has a clip");
    this.stepper = new RowStepper(model.engine, model.form);
    this.view = preprocess.view();
    this.picker = new FramePicker(clip.rate, clip.maxGapMs);
    this.detector = clip.sceneCut === null ? null : new SceneDetector(clip.sceneCut);
    this.decoder = new EventDecoder(labels, clip.background, clip.events);
  }

  /** Begin anew with the next frame. */
  reset(): void {
    this.demand ||= "demand";
  }

  /** A frame: no step where the model's rate passes it over, several where the camera is slower than the model. */
  feed(frame: Frame, tsMs: number): ClipStep[] {
    let ended = this.ended;
    this.ended = [];
    if (this.demand) ended = [...ended, ...this.begin(this.demand)];
    if (this.picker.gap(tsMs)) ended = [...ended, ...this.begin("gap")];
    let times = this.picker.steps(tsMs);
    if (!times.length) {
      this.ended = ended;
      return [];
    }
    const pixels = this.view.pixels(frame);
    if (this.detector?.cut(pixels)) {
      ended = [...ended, ...this.begin("cut")];
      this.detector.cut(pixels);
      times = this.picker.steps(tsMs);
    }
    const encoded = this.model.encode(pixels);
    return times.map((time, at) => this.step(encoded, time, at === 0 ? ended : []));
  }

  /** The camera is gone: the ends of the events that ran. */
  finish(): Event[] {
    const ended = this.ended;
    this.ended = [];
    return [...ended, ...this.decoder.finish()];
  }

  private begin(reason: Reason): Event[] {
    const ended = this.decoder.finish();
    this.stepper.reset();
    // A fixed camera that was away for a while still sees the room it knows.
    if (NEW_ROOM.includes(reason)) this.view.reset();
    else this.view.pause();
    this.picker.reset();
    this.decoder.reset();
    this.detector?.reset();
    this.demand = "";
    this.reason = reason;
    return ended;
  }

  private step(encoded: Values, tsMs: number, ended: Event[]): ClipStep {
    const { manifest, form } = this.model;
    const begin = performance.now(), raw = this.stepper.feed(encoded), latencyMs = performance.now() - begin;
    const { index, scores } = scoresOf(raw, form.output("y"), manifest.output);
    const events = [...ended, ...this.decoder.step(tsMs, scores)], reset = this.reason;
    this.reason = "";
    const label = manifest.labels[index], { running } = this.decoder;
    return { tsMs, index, label, scores, raw, latencyMs, events, running, reset };
  }
}
