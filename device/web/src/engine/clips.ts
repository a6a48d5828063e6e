/** A clip bundle at work: the step form, loaded once. */
import type { Bundle } from "./bundle";
import type { Form } from "./form";
import type { Manifest } from "./manifest";
import type { Picture } from "./picture";
import type { Engine, LoadedModel, Runtime } from "./runtime";
import type { Values } from "./tensors";

export class ClipModel {
  private readonly table: Values;
  readonly engine: Engine;

  private constructor(readonly manifest: Manifest, readonly form: Form, private readonly model: LoadedModel) {
    this.engine = model.engines[0];
    // Pixel value to model input in one look-up, quantised once.
    this.table = form.input("x").hold(manifest.preprocess.table);
  }

  static async load(bundle: Bundle, runtime: Runtime): Promise<ClipModel> {
    const form = bundle.manifest.form("step");
    return new ClipModel(bundle.manifest, form, await runtime.load(bundle.members.get(form.file)!, [form]));
  }

  /** A model frame as the step takes it. */
  encode(pixels: Picture): Values {
    return this.manifest.preprocess.lookUp(pixels, this.table);
  }

  delete(): void {
    this.model.delete();
  }
}
