/** A caption bundle at work: frames in, sentences out. */
import type { Bundle } from "./bundle";
import { type CaptionSpec, END, START } from "./caption";
import { refused } from "./errors";
import type { Form } from "./form";
import type { Decoder } from "./hypothesis";
import type { Manifest } from "./manifest";
import type { Picture } from "./picture";
import type { LoadedModel, Runtime } from "./runtime";
import { search, type Search } from "./search";
import type { Named, Values } from "./tensors";

export class Captioner implements Decoder {
  private readonly table: Values;
  private readonly y;
  readonly spec: CaptionSpec;
  /** In the interpreter, for the caption that is being written. */
  latencyMs = 0;

  private constructor(
    readonly manifest: Manifest,
    readonly words: string[],
    private readonly encoder: Form,
    private readonly decoder: Form,
    private readonly model: LoadedModel,
  ) {
    if (!manifest.caption) throw new Error("a captioner has a caption");
    this.spec = manifest.caption;
    this.y = decoder.output("y");
    if (this.y.size !== words.length) {
      throw refused("vocabulary of {words} words: the model's y has {size}", { words: words.length, size: this.y.size });
    }
    // Pixel value to model input in one look-up, quantised once.
    this.table = encoder.input("x").hold(manifest.preprocess.table);
  }

  static async load(bundle: Bundle, runtime: Runtime): Promise<Captioner> {
    const { manifest } = bundle, encoder = manifest.form("encode"), decoder = manifest.form("decode");
    const words = bundle.vocabulary();
    const model = await runtime.load(bundle.members.get(encoder.file)!, [encoder, decoder]);
    return new Captioner(manifest, words, encoder, decoder, model);
  }

  delete(): void {
    this.model.delete();
  }

  /** What the decoder begins with, of one model frame: by its input names, in the border's dtype. */
  encode(pixels: Picture): Named {
    const x = this.manifest.preprocess.lookUp(pixels, this.table), begin = performance.now();
    const found = this.model.engines[0].run({ x });
    this.latencyMs = performance.now() - begin;
    return Object.fromEntries(this.encoder.outputs.map(({ name }) => [name, found[name]]));
  }

  /** The bundle's own search from what `encode` gave. */
  search(state: Named): Search {
    return search(this, state, this.spec);
  }

  step(token: number, state: Named): ReturnType<Decoder["step"]> {
    const { raw, after, attention } = this.feed(token, state);
    return { choices: logSoftmax(this.y.decode(raw)), state: after, attention };
  }

  /** One call of the decoder: raw logits `[K]` and attention `[P]` or null, in the border's dtype. */
  feed(token: number, state: Named): { raw: Values; after: Named; attention: Values | null } {
    const begin = performance.now();
    const found = this.model.engines[1].run({ ...state, token: Int32Array.of(token) });
    this.latencyMs += performance.now() - begin;
    const after = { ...state };
    for (const { input, output } of this.decoder.states) after[input] = found[output];
    return { raw: found.y, after, attention: found.attention ?? null };
  }

  /** Raw logits along a given sentence, row by row: the answers to the start and to each id but the last. */
  logits(state: Named, ids: readonly number[]): Values[] {
    return [START, ...ids.slice(0, -1)].map((token) => {
      const { raw, after } = this.feed(token, state);
      state = after;
      return raw;
    });
  }

  /** The words of the ids. */
  spoken(ids: readonly number[]): string[] {
    return ids.filter((id) => id > END).map((id) => this.words[id]);
  }
}

/** In double precision, so that the sums of two machines do not differ before they are rounded. */
function logSoftmax(real: Float32Array): Float32Array {
  let highest = -Infinity, sum = 0;
  for (const value of real) if (value > highest || Number.isNaN(value)) highest = value;
  for (const value of real) sum += Math.exp(value - highest);
  const log = Math.log(sum);
  return real.map((value) => value - highest - log);
}
