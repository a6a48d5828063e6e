/** The border of a model: its tensors, its recurrent states, and the order in which an image is read. */
import { refused } from "./errors";
import { Fields, isCount, isText, isWhole, shown } from "./fields";
import { product } from "./numbers";
import { dequantize, quantize } from "./quantization";

export type Values = Int8Array | Float32Array | Int32Array;
export type Named = Record<string, Values>;
export const DTYPES = ["int8", "float32", "int32"] as const;
// Of one tensor: more than any camera model has, less than what would fill a phone's memory.
const MAX_ELEMENTS = 2 ** 24;

/** An input or output by its name in the signature; of int8, scale and zero point say what the values stand for. */
export class Tensor {
  readonly size: number;

  constructor(
    readonly name: string,
    readonly shape: number[],
    readonly dtype: (typeof DTYPES)[number],
    readonly scale: number,
    readonly zeroPoint: number,
  ) {
    this.size = product(shape);
  }

  /** Real values of any shape as this tensor holds them. */
  hold(real: Float32Array): Values {
    return this.dtype === "int8" ? quantize(real, this.scale, this.zeroPoint) : real;
  }

  /** The real values that `value` stands for. */
  decode(value: Values): Float32Array {
    if (value instanceof Int8Array) return dequantize(value, this.scale, this.zeroPoint);
    return value instanceof Float32Array ? value : Float32Array.from(value);
  }

  /** Room for this tensor's values, or for as many as are asked for. */
  empty(size = this.size): Values {
    return new (this.dtype === "int8" ? Int8Array : this.dtype === "int32" ? Int32Array : Float32Array)(size);
  }

  /** Another tensor of the same numbers, in the same places, of the same meaning? */
  tiedTo(other: Tensor): boolean {
    return (
      shown(this.shape) === shown(other.shape) &&
      this.dtype === other.dtype &&
      this.scale === other.scale &&
      this.zeroPoint === other.zeroPoint
    );
  }

  static from(data: unknown, where: string): Tensor {
    const fields = new Fields(data, where);
    const dtype = fields.text("dtype", undefined, DTYPES), int8 = dtype === "int8";
    const tensor = new Tensor(
      fields.text("name"),
      fields.list("shape", isCount, "must be a list of whole numbers above zero"),
      dtype,
      fields.number("scale", 0),
      fields.integer("zero_point", int8 ? -128 : 0, int8 ? 127 : 0),
    );
    fields.done();
    if (tensor.scale > 0 !== int8) throw fields.fail("scale", "above zero for int8, 0 for float32 and int32");
    if (tensor.size > MAX_ELEMENTS) {
      throw fields.fail("shape", "{size} values: at most {most}", { size: tensor.size, most: MAX_ELEMENTS });
    }
    return tensor;
  }
}

/** A recurrent state: the output to feed back into which input, and its real value before the first step. */
export interface State {
  readonly input: string;
  readonly output: string;
  readonly reset: number;
}

export function stateFrom(data: unknown, where: string): State {
  const fields = new Fields(data, where);
  const state = { input: fields.text("input"), output: fields.text("output"), reset: fields.number("reset") };
  fields.done();
  return state;
}

/** How an image `[h, w, C]` becomes the sequence `[T, F]` of a step form: transpositions and shapes, in order. */
export class Scan {
  constructor(readonly steps: [name: string, numbers: number[]][] = []) {}

  /** The image's values in the order of the sequence. */
  apply(image: Values, shape: number[]): Values {
    for (const [name, numbers] of this.steps) {
      if (name === "transpose") image = transposed(image, shape, numbers);
      shape = name === "transpose" ? numbers.map((axis) => shape[axis]) : numbers;
    }
    return image;
  }

  /** The shape of the sequence; BundleError where the steps do not fit `shape`. */
  shape(shape: number[], where: string): number[] {
    for (const [name, numbers] of this.steps) {
      const axes = name === "transpose";
      const fits = axes
        ? shown([...numbers].sort((a, b) => a - b)) === shown([...shape.keys()])
        : product(numbers) === product(shape);
      if (!fits) {
        const gaps = { where, step: name, numbers: shown(numbers), shape: shown(shape) };
        throw refused("{where}: scan: {step} {numbers} does not fit the shape {shape}", gaps);
      }
      shape = axes ? numbers.map((axis) => shape[axis]) : numbers;
    }
    return shape;
  }

  static from(data: unknown, where: string): Scan {
    const isStep = (step: unknown): step is [string, number[]] =>
      Array.isArray(step) && step.length === 2 && isText(step[0]) && ["transpose", "reshape"].includes(step[0]) &&
      Array.isArray(step[1]) && step[1].every(isWhole);
    if (!Array.isArray(data) || !data.every(isStep)) {
      const gaps = { where, value: shown(data) };
      throw refused('{where}: scan = {value}: must be ["transpose", axes] or ["reshape", shape]', gaps);
    }
    return new Scan(data);
  }
}

function transposed(values: Values, shape: number[], axes: number[]): Values {
  const found = values.slice(), strides = shape.map((_, axis) => product(shape.slice(axis + 1)));
  const after = axes.map((axis) => shape[axis]), steps = axes.map((axis) => strides[axis]);
  const place = after.map(() => 0);
  for (let to = 0, from = 0; to < values.length; to++) {
    found[to] = values[from];
    for (let axis = after.length - 1; axis >= 0; axis--) {
      from += steps[axis];
      if (++place[axis] < after[axis]) break;
      from -= steps[axis] * after[axis];
      place[axis] = 0;
    }
  }
  return found;
}
