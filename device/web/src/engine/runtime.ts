/**
 * LiteRT in WebAssembly behind one door.
 *
 * The package's own classes take float32, int32 and uint8 borders only. The runtime beneath them takes int8 as it is:
 * it is used directly here, so that a phone runs the very bundle that every other device runs, and a state goes from
 * step to step as the graph gave it. What is used of it is `Binding`; `package-lock.json` pins the version.
 */
import { said } from "../problems";
import { InputError, refused } from "./errors";
import { shown } from "./fields";
import type { Form } from "./form";
import type { Named, Tensor, Values } from "./tensors";

interface Owned {
  delete(): void;
}
interface Vector<T> extends Owned {
  size(): number;
  get(at: number): T;
}
interface Layout extends Owned {
  dimensions(): Vector<number>;
}
interface TensorType extends Owned {
  elementType(): { value: number };
  layout(): Layout;
  bytes(): number;
}
interface Buffer extends Owned {
  lock(mode: unknown): number;
  unlock(): void;
  packedSize(): number;
}
interface Signature extends Owned {
  key(): string;
  inputNames(): Vector<string>;
  outputNames(): Vector<string>;
}
interface Model extends Owned {
  getNumSignatures(): number;
  getSignature(at: number): Signature;
  getInputTensorType(signature: number, at: number): TensorType;
  getOutputTensorType(signature: number, at: number): TensorType;
}
interface Compiled extends Owned {
  run(signature: number, inputs: Buffer[]): Buffer[] | Promise<Buffer[]>;
}
export interface Binding {
  HEAPU8: Uint8Array;
  _malloc(size: number): number;
  _free(at: number): void;
  LiteRtEnvironment: { create(device: null): Owned };
  LiteRtTensorBuffer: { createManaged(environment: Owned, kind: unknown, type: TensorType, bytes: number): Buffer };
  LiteRtTensorBufferType: { HOST_MEMORY: unknown };
  LiteRtTensorBufferLockMode: { READ: unknown; WRITE: unknown };
  loadModel(environment: Owned, at: number, size: number): Model;
  compileModel(environment: Owned, model: Model, options: object): Compiled | Promise<Compiled>;
}

const DTYPE_OF: Record<number, string> = { 1: "float32", 2: "int32", 9: "int8" };

/** What computes a signature: every input by name in its dtype, every output, its own array. */
export interface Engine {
  run(feeds: Named): Named;
}

/** The loaded runtime. */
export class Runtime {
  private readonly environment: Owned;

  /** @param name for people, such as `LiteRT.js 2.5.3 (wasm, simd)` */
  constructor(private readonly wasm: Binding, readonly name: string) {
    this.environment = wasm.LiteRtEnvironment.create(null);
  }

  /**
   * The signatures of several forms, from their one member.
   *
   * @throws BundleError a model that the runtime cannot load, or one that differs from the manifest; where the runtime
   *   itself has crashed, `hasCrashed` of what is thrown
   */
  async load(data: Uint8Array, forms: Form[]): Promise<LoadedModel> {
    const { wasm, environment } = this, at = wasm._malloc(data.length);
    wasm.HEAPU8.set(data, at);
    const owned: Owned[] = [{ delete: () => wasm._free(at) }];
    try {
      const model = wasm.loadModel(environment, at, data.length);
      owned.unshift(model);
      const cpuOptions = { numThreads: 1 };
      const compiled = await wasm.compileModel(environment, model, {
        accelerator: "wasm", cpuOptions, gpuOptions: {}, webNNOptions: {}, environment: { liteRtEnvironment: environment },
      });
      owned.unshift(compiled);
      const engines = forms.map((form) => new SignatureEngine(wasm, environment, model, compiled, form));
      owned.unshift(...engines);
      // The first call prepares what all others use: not with a camera waiting.
      engines.forEach((engine) => engine.warmUp());
      return { engines, delete: () => owned.forEach((one) => one.delete()) };
    } catch (problem) {
      if (hasCrashed(problem)) throw problem;
      owned.forEach((one) => one.delete());
      if (problem instanceof InputError) throw problem;
      throw refused("{runtime} cannot load the model: {detail}", { runtime: this.name, detail: textOf(problem) });
    }
  }
}

/** The engines of the forms asked for; `delete` gives the memory back. */
export interface LoadedModel extends Owned {
  readonly engines: Engine[];
}

/** One signature. Its input buffers are kept from call to call, its outputs are copied out. */
class SignatureEngine implements Engine, Owned {
  private readonly signature: number;
  private readonly inputs: { name: string; buffer: Buffer; size: number }[] = [];
  private readonly outputs: Tensor[];

  constructor(
    private readonly wasm: Binding,
    environment: Owned,
    model: Model,
    private readonly compiled: Compiled,
    private readonly form: Form,
  ) {
    this.signature = signatureOf(model, form);
    const signature = model.getSignature(this.signature);
    const names = listed(signature.inputNames()), given = listed(signature.outputNames());
    signature.delete();
    for (const [side, found, known] of [["inputs", names, form.inputs], ["outputs", given, form.outputs]] as const) {
      const wanted = known.map((tensor) => tensor.name).sort();
      if (shown([...found].sort()) !== shown(wanted)) {
        const gaps = { form: form.name, side, declared: wanted.join(", "), found: found.join(", ") };
        throw refused("form {form}: {side} {declared} in the manifest, {found} in the model", gaps);
      }
    }
    names.forEach((name, at) => {
      const type = checked(model.getInputTensorType(this.signature, at), form.input(name), form.name);
      const kind = wasm.LiteRtTensorBufferType.HOST_MEMORY, size = type.bytes();
      this.inputs.push({ name, size, buffer: wasm.LiteRtTensorBuffer.createManaged(environment, kind, type, size) });
      type.delete();
    });
    this.outputs = given.map((name) => form.output(name));
    this.outputs.forEach((tensor, at) =>
      checked(model.getOutputTensorType(this.signature, at), tensor, form.name).delete(),
    );
  }

  warmUp(): void {
    this.run(Object.fromEntries(this.form.inputs.map((tensor) => [tensor.name, tensor.empty()])));
  }

  run(feeds: Named): Named {
    const { wasm } = this;
    for (const { name, buffer, size } of this.inputs) {
      const values = feeds[name];
      if (values?.byteLength !== size) {
        const gaps = { name, size: values?.byteLength ?? 0, must: size };
        throw new InputError(said("input {name}: {size} bytes: must be {must}", gaps));
      }
      const at = buffer.lock(wasm.LiteRtTensorBufferLockMode.WRITE);
      wasm.HEAPU8.set(new Uint8Array(values.buffer, values.byteOffset, size), at);
      buffer.unlock();
    }
    const given = this.compiled.run(this.signature, this.inputs.map(({ buffer }) => buffer));
    if (!Array.isArray(given)) throw new Error("this build of the runtime answers later; one that answers at once is needed");
    const found: Named = {};
    given.forEach((buffer, at) => {
      const tensor = this.outputs[at];
      found[tensor.name] = this.copied(buffer, tensor);
      buffer.delete();
    });
    return found;
  }

  private copied(buffer: Buffer, tensor: Tensor): Values {
    const at = buffer.lock(this.wasm.LiteRtTensorBufferLockMode.READ), values = tensor.empty();
    new Uint8Array(values.buffer).set(this.wasm.HEAPU8.subarray(at, at + values.byteLength));
    buffer.unlock();
    return values;
  }

  delete(): void {
    for (const { buffer } of this.inputs) buffer.delete();
  }
}

function signatureOf(model: Model, form: Form): number {
  const keys: string[] = [];
  for (let at = 0; at < model.getNumSignatures(); at++) {
    const signature = model.getSignature(at);
    keys.push(signature.key());
    signature.delete();
  }
  const found = keys.indexOf(form.signature);
  if (found < 0) throw refused("signature '{name}': the model has {keys}", { name: form.signature, keys: keys.join(", ") || "–" });
  return found;
}

function checked(type: TensorType, tensor: Tensor, form: string): TensorType {
  const layout = type.layout(), shape = listed(layout.dimensions()), element = type.elementType().value;
  layout.delete();
  const dtype = DTYPE_OF[element] ?? `type ${element}`;
  if (dtype !== tensor.dtype || shown(shape) !== shown(tensor.shape)) {
    type.delete();
    const gaps = { form, side: tensor.name, declared: `${tensor.dtype} ${shown(tensor.shape)}`, found: `${dtype} ${shown(shape)}` };
    throw refused("form {form}: {side} {declared} in the manifest, {found} in the model", gaps);
  }
  return type;
}

function listed<T>(vector: Vector<T>): T[] {
  const found = Array.from({ length: vector.size() }, (_, at) => vector.get(at));
  vector.delete();
  return found;
}

/** Did a damaged model make the runtime crash? Nothing in its memory is to be trusted any more. */
export function hasCrashed(problem: unknown): boolean {
  return problem instanceof WebAssembly.RuntimeError;
}

/** What went wrong, whatever was thrown: compiled code throws numbers. */
export function textOf(problem: unknown): string {
  return problem instanceof Error ? problem.message : `error ${String(problem)}`;
}
