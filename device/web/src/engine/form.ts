/** A form: one way the model of a bundle is compiled, with its border and its states. */
import { refused } from "./errors";
import { Fields, isCount, shown } from "./fields";
import { product } from "./numbers";
import { Scan, type State, stateFrom, Tensor } from "./tensors";

const FORMS_OF = {
  classify: ["loop", "unrolled", "step", "fused"],
  clips: ["step", "sequence"],
  captions: ["encode", "decode"],
};
export type BundleTask = keyof typeof FORMS_OF;
export const TASKS = Object.keys(FORMS_OF) as BundleTask[];
const FORMS = Object.values(FORMS_OF).flat();

export class Form {
  constructor(
    readonly name: string,
    readonly file: string,
    readonly signature: string,
    readonly inputs: Tensor[],
    readonly outputs: Tensor[],
    readonly states: State[],
    readonly scan: Scan,
    readonly sizeBytes: number,
  ) {}

  input(name: string): Tensor {
    return this.named(this.inputs, name, "input");
  }

  output(name: string): Tensor {
    return this.named(this.outputs, name, "output");
  }

  /** For messages. */
  private get where(): string {
    return `manifest.json: form ${this.name}`;
  }

  private named(tensors: Tensor[], name: string, side: string): Tensor {
    const found = tensors.find((tensor) => tensor.name === name);
    if (!found) throw refused("{where}: {side} '{name}' is missing", { where: this.where, side, name });
    return found;
  }

  /** Do the tensors fit the task, each other, the preprocessed image and the labels? BundleError if not. */
  check(image: number[], classes: number, task: BundleTask): void {
    const { where } = this;
    if (!FORMS_OF[task].includes(this.name)) {
      throw refused("{where}: a {task} bundle has {forms}", { where, task, forms: FORMS_OF[task].join(", ") });
    }
    if (task === "clips") this.checkClips(image, classes, where);
    else if (task === "captions") this.checkCaptions(image, where);
    else this.checkImage(image, classes, where);
    for (const tensor of [...this.inputs, ...this.outputs]) {
      if ((tensor.dtype === "int32") !== (this.name === "decode" && tensor.name === "token")) {
        const { name, dtype } = tensor;
        throw refused("{where}: {name}: dtype {dtype}: int32 is for token, only", { where, name, dtype });
      }
    }
    for (const state of this.states) {
      if (!this.input(state.input).tiedTo(this.output(state.output))) {
        const { input, output } = state;
        throw refused("{where}: state {input}: {output} must be tied to it", { where, input, output });
      }
    }
    const [inputs, outputs] = this.known(task);
    for (const [side, given, known] of [["inputs", this.inputs, inputs], ["outputs", this.outputs, outputs]] as const) {
      const names = given.map((tensor) => tensor.name);
      if (shown([...names].sort()) !== shown([...known].sort())) {
        const gaps = { where, side, names: shown(names), known: [...known].sort().join(", ") };
        throw refused("{where}: {side} {names}: must be {known}, each once", gaps);
      }
    }
  }

  /** The names of the inputs and outputs that a form of these states has. */
  private known(task: BundleTask): [Set<string>, Set<string>] {
    const inputs = this.states.map((state) => state.input), outputs = this.states.map((state) => state.output);
    if (task !== "captions") return [new Set(["x", ...inputs]), new Set(["y", ...outputs])];
    const given = this.inputs.map((tensor) => tensor.name), found = this.outputs.map((tensor) => tensor.name);
    if (this.name === "encode") {
      return [new Set(["x"]), new Set(found.filter((name) => !["x", "y", "token", "attention"].includes(name)))];
    }
    // What is no state stays as the encoder gave it; that the encoder gives it, the manifest checks.
    const kept = given.filter((name) => !outputs.includes(name) && name !== "x" && name !== "y");
    const map = found.filter((name) => name === "attention");
    return [new Set(["token", ...inputs, ...kept]), new Set(["y", ...outputs, ...map])];
  }

  private checkImage(image: number[], classes: number, where: string): void {
    const x = this.input("x"), y = this.output("y"), sequence = this.scan.shape(image, where);
    if (shown(y.shape) !== shown([1, classes])) {
      const gaps = { where, shape: shown(y.shape), classes };
      throw refused("{where}: y has shape {shape} for {classes} labels: must be [1, {classes}]", gaps);
    }
    const fits =
      this.name === "step"
        ? sequence.length === 2 && shown(x.shape) === shown([1, sequence[1]]) && this.states.length > 0
        : product(sequence) === x.size && x.shape[0] === 1 && this.states.length === 0;
    if (fits) return;
    const gaps = { where, x: shown(x.shape), states: this.states.length };
    throw refused("{where}: x {x} and {states} states do not fit the image", gaps);
  }

  private checkClips(image: number[], classes: number, where: string): void {
    const x = this.input("x"), y = this.output("y");
    const time = this.name === "sequence" ? x.shape.slice(1, 2) : [];
    if (shown(x.shape) !== shown([1, ...time, ...image]) || shown(y.shape) !== shown([1, ...time, classes])) {
      const gaps = { where, x: shown(x.shape), y: shown(y.shape) };
      throw refused("{where}: x {x}, y {y} do not fit the frame and the labels", gaps);
    }
    if (!this.states.length || this.scan.steps.length) {
      throw refused("{where}: a clip model has at least one state and no scan", { where });
    }
  }

  private checkCaptions(image: number[], where: string): void {
    if (this.scan.steps.length || this.states.length > 0 !== (this.name === "decode")) {
      throw refused("{where}: decode has at least one state, encode none, and neither has a scan", { where });
    }
    if (this.name === "encode") {
      if (shown(this.input("x").shape) !== shown([1, ...image]) || !this.outputs.length) {
        const gaps = { where, x: shown(this.input("x").shape), must: shown([1, ...image]) };
        throw refused("{where}: x {x}: must be {must}", gaps);
      }
      return;
    }
    const token = this.input("token"), y = this.output("y");
    if (shown(token.shape) !== "[1]" || y.shape.length !== 2 || y.shape[0] !== 1) {
      const gaps = { where, token: shown(token.shape), y: shown(y.shape) };
      throw refused("{where}: token {token}, y {y}: must be [1] and [1, K]", gaps);
    }
  }

  static from(data: unknown, where: string): Form {
    const fields = new Fields(data, where);
    const form = new Form(
      fields.text("name", undefined, FORMS),
      fields.text("file"),
      fields.text("signature"),
      fields.objects("inputs", Tensor.from),
      fields.objects("outputs", Tensor.from),
      fields.objects("states", stateFrom),
      Scan.from(fields.raw("scan"), where),
      fields.integer("size_bytes"),
    );
    if (!Object.values(fields.table("ops")).every(isCount)) {
      throw fields.fail("ops", "must be operators with whole numbers above zero");
    }
    if (fields.raw("latency_us") !== null) fields.number("latency_us");
    fields.done();
    return form;
  }
}
