/** A loaded bundle and one camera's way through it, as messages for the page. */
import type { EventLine, FromWorker, Task } from "../protocol";
import { Bundle } from "./bundle";
import { CaptionStream, type Writing } from "./caption_stream";
import { Captioner } from "./captioner";
import { Classifier } from "./classify";
import { ClipStream } from "./clip_stream";
import { ClipModel } from "./clips";
import { answerLine, captionLine, eventLine, stepLines } from "./event_lines";
import type { BundleTask } from "./form";
import type { Frame } from "./picture";
import type { Runtime } from "./runtime";

const TASK: Record<BundleTask, Task> = { classify: "images", clips: "clips", captions: "captions" };

/** What a bundle does with a camera's frames. */
interface Watching {
  readonly form: string;
  /** What is said at once about a frame. */
  feed(frame: Frame, id: number, tsMs: number): FromWorker[];
  /** A part of what takes longer; null when there is nothing to do. */
  work(): FromWorker[] | null;
  reset(): void;
  finish(): EventLine[];
  delete(): void;
}

export class Session {
  private constructor(readonly loaded: FromWorker & { kind: "loaded" }, private readonly watching: Watching) {}

  /**
   * @param key hexadecimal digits of the public key that must have signed the bundle; undefined for any bundle
   * @throws BundleError a bundle that is refused, or that this runtime cannot load
   */
  static async open(bytes: ArrayBuffer, runtime: Runtime, key?: string): Promise<Session> {
    const bundle = await Bundle.read(bytes, key), { manifest } = bundle;
    const watching = await WATCHING[manifest.task](bundle, runtime);
    return new Session(
      {
        kind: "loaded",
        name: manifest.name,
        task: TASK[manifest.task],
        labels: manifest.labels,
        form: watching.form,
        runtime: runtime.name,
        input: manifest.preprocess.shape,
        ...(bundle.signedBy && { signed_by: bundle.signedBy }),
        ...(manifest.clip && { rate: manifest.clip.rate }),
      },
      watching,
    );
  }

  /** A frame; the messages about it, at least one. */
  feed(frame: Frame, id: number, tsMs: number): FromWorker[] {
    const said = this.watching.feed(frame, id, tsMs);
    return said.length ? said : [{ kind: "skipped", id }];
  }

  /** A part of what takes longer than a frame; null when there is nothing to do. */
  work(): FromWorker[] | null {
    return this.watching.work();
  }

  /** The next frame begins anew. */
  reset(): void {
    this.watching.reset();
  }

  /** The camera has stopped: what ran ends, and its next frame begins anew. */
  finish(): FromWorker {
    const events = this.watching.finish();
    this.watching.reset();
    return { kind: "finished", events };
  }

  delete(): void {
    this.watching.delete();
  }
}

const WATCHING: Record<BundleTask, (bundle: Bundle, runtime: Runtime) => Promise<Watching>> = {
  classify: async (bundle, runtime) => new Labels(await Classifier.load(bundle, runtime)),
  clips: async (bundle, runtime) => new Clips(await ClipModel.load(bundle, runtime)),
  captions: async (bundle, runtime) => new Captions(await Captioner.load(bundle, runtime)),
};

/** A label a frame. */
class Labels implements Watching {
  readonly form: string;

  constructor(private readonly model: Classifier) {
    this.form = model.form.name;
  }

  feed(frame: Frame, id: number, tsMs: number): FromWorker[] {
    const answer = this.model.predict(frame), label = this.model.manifest.labels[answer.index];
    const events = [answerLine(answer, label, id, tsMs, "classify")], scores = [...answer.scores];
    const score = scores[answer.index], inference_ms = answer.latencyMs;
    return [{ kind: "answer", id, ts_ms: tsMs, label, score, scores, events, inference_ms }];
  }

  work(): null {
    return null;
  }

  reset(): void {
    // There is no state that could begin anew.
  }

  finish(): EventLine[] {
    return [];
  }

  delete(): void {
    this.model.delete();
  }
}

/** Labels over time, the state carried. */
class Clips implements Watching {
  readonly form = "step";
  private readonly stream: ClipStream;

  constructor(private readonly model: ClipModel) {
    this.stream = new ClipStream(model);
  }

  feed(frame: Frame, id: number, tsMs: number): FromWorker[] {
    return this.stream.feed(frame, tsMs).map((step) => ({
      kind: "answer",
      id,
      ts_ms: step.tsMs,
      label: step.label,
      score: step.scores[step.index],
      scores: [...step.scores],
      events: stepLines(step, id),
      inference_ms: step.latencyMs,
      running: step.running,
      ...(step.reset && { reset: step.reset }),
    }));
  }

  work(): null {
    return null;
  }

  reset(): void {
    this.stream.reset();
  }

  finish(): EventLine[] {
    return this.stream.finish().map((event) => eventLine(event, "clips"));
  }

  delete(): void {
    this.model.delete();
  }
}

/** A sentence when a new one is due, word by word. */
class Captions implements Watching {
  readonly form = "encode + decode";
  private readonly stream: CaptionStream;
  private writing: Writing | null = null;

  constructor(private readonly model: Captioner) {
    this.stream = new CaptionStream(model);
  }

  feed(frame: Frame, id: number, tsMs: number): FromWorker[] {
    const begun = this.stream.feed(frame, id, tsMs);
    if (!begun) return [];
    this.writing = begun;
    return [this.said(begun)];
  }

  work(): FromWorker[] | null {
    const { writing } = this;
    if (!writing) return null;
    const before = writing.words.length;
    if (!writing.step()) {
      this.writing = null;
      const whole = { done: true, score: writing.score, inference_ms: writing.latencyMs, events: [captionLine(writing)] };
      return [{ ...this.said(writing), ...whole }];
    }
    return writing.words.length > before ? [this.said(writing)] : [];
  }

  private said(writing: Writing): FromWorker & { kind: "caption" } {
    return { kind: "caption", id: writing.id, ts_ms: writing.tsMs, words: [...writing.words], done: false };
  }

  reset(): void {
    this.stream.reset();
  }

  finish(): EventLine[] {
    const lines: EventLine[] = [];
    // Few milliseconds: the sentence that was begun is told whole.
    for (let said = this.work(); said; said = this.work()) {
      for (const one of said) if (one.kind === "caption") lines.push(...(one.events ?? []));
    }
    return lines;
  }

  delete(): void {
    this.model.delete();
  }
}
