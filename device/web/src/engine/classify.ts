/** A row bundle at work: frames in, labels out, the same answer for every form. */
import type { Bundle } from "./bundle";
import { refused } from "./errors";
import type { Form } from "./form";
import type { Manifest } from "./manifest";
import type { Frame } from "./picture";
import type { Engine, LoadedModel, Runtime } from "./runtime";
import { type Scores, scoresOf } from "./scores";
import { RowStepper } from "./stepper";
import type { Values } from "./tensors";

export interface Answer extends Scores {
  /** `[K]`, what the graph gave. */
  readonly raw: Values;
  /** Time in the interpreter. */
  readonly latencyMs: number;
}

export class Classifier {
  private readonly table: Values;
  private readonly engine: Engine;
  private readonly stepper: RowStepper | null;

  private constructor(readonly manifest: Manifest, readonly form: Form, private readonly model: LoadedModel) {
    this.engine = model.engines[0];
    this.stepper = form.name === "step" ? new RowStepper(this.engine, form) : null;
    // Pixel value to model input in one look-up, quantised once.
    this.table = form.input("x").hold(manifest.preprocess.table);
  }

  /** The bundle's first form that this runtime has: all but `fused`, whose operator it lacks. */
  static async load(bundle: Bundle, runtime: Runtime): Promise<Classifier> {
    const { manifest } = bundle, form = manifest.forms.find((one) => one.name !== "fused");
    if (!form) throw refused("form fused, only: a browser has no fused LSTM; export with --form unrolled");
    return new Classifier(manifest, form, await runtime.load(bundle.members.get(form.file)!, [form]));
  }

  delete(): void {
    this.model.delete();
  }

  /** The label of one frame. */
  predict(frame: Frame): Answer {
    const { preprocess, output } = this.manifest, pixels = preprocess.pixels(frame);
    const rows = this.form.scan.apply(preprocess.lookUp(pixels, this.table), preprocess.shape);
    const begin = performance.now(), raw = this.run(rows), latencyMs = performance.now() - begin;
    return { ...scoresOf(raw, this.form.output("y"), output), raw, latencyMs };
  }

  private run(rows: Values): Values {
    if (!this.stepper) return this.engine.run({ x: rows }).y;
    this.stepper.reset();
    const { size } = this.form.input("x");
    let y: Values = rows;
    for (let at = 0; at < rows.length; at += size) y = this.stepper.feed(rows.subarray(at, at + size));
    return y;
  }
}
