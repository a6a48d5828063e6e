/** The manifest: what a bundle says about itself, typed and strict. */
import { type CaptionSpec, captionFrom } from "./caption";
import { type ClipSpec, clipFrom } from "./clip";
import { BundleError } from "./errors";
import { Fields, isText, shown } from "./fields";
import { type BundleTask, Form, TASKS } from "./form";
import { Preprocess } from "./preprocess";

const FORMAT_VERSION = 1;
const WHERE = "manifest.json";

export interface FileEntry {
  readonly size: number;
  readonly sha256: string;
}

export class Manifest {
  readonly name: string;
  readonly task: BundleTask;
  readonly labels: string[];
  readonly output: "logits" | "probabilities";
  readonly preprocess: Preprocess;
  readonly forms: Form[];
  readonly files: Map<string, FileEntry>;
  readonly clip: ClipSpec | null;
  readonly caption: CaptionSpec | null;

  constructor(data: unknown) {
    const fields = new Fields(data, WHERE);
    checkVersion(fields);
    this.name = fields.text("name");
    this.task = fields.text("task", undefined, TASKS);
    this.labels = fields.list("labels", isText, "texts");
    this.output = fields.text("output", undefined, ["logits", "probabilities"]);
    this.preprocess = new Preprocess(fields.raw("preprocess"), `${WHERE}: preprocess`);
    this.forms = fields.objects("forms", Form.from);
    fields.table("metrics");
    fields.table("versions");
    fields.text("created");
    this.files = filesOf(fields);
    this.clip = fields.optional("clip", clipFrom, null);
    this.caption = fields.optional("caption", captionFrom, null);
    fields.done();
    this.check();
  }

  /** The form of that name; BundleError if there is none such. */
  form(name: string): Form {
    const found = this.forms.find((form) => form.name === name);
    if (!found) throw new BundleError(`form '${name}': this bundle has ${this.forms.map((form) => form.name).join(", ")}`);
    return found;
  }

  private check(): void {
    if (this.labels.length > 0 === (this.task === "captions") || !this.forms.length) {
      throw new BundleError(`${WHERE}: ${this.labels.length} labels, ${this.forms.length} forms: at least one, captions have no labels`);
    }
    if (new Set(this.forms.map((form) => form.name)).size !== this.forms.length) {
      throw new BundleError(`${WHERE}: forms: each name once`);
    }
    for (const form of this.forms) form.check(this.preprocess.shape, this.labels.length, this.task);
    if ((this.clip !== null) !== (this.task === "clips") || (this.caption !== null) !== (this.task === "captions")) {
      throw new BundleError(`${WHERE}: clip is there for task clips, caption for task captions, and only there`);
    }
    if (this.preprocess.foreground && (this.clip === null || this.clip.sceneCut !== null)) {
      throw new BundleError(`${WHERE}: preprocess: foreground: is for task clips, of a camera that does not move: no scene_cut`);
    }
    if (this.clip?.background && !this.labels.includes(this.clip.background)) {
      throw new BundleError(`${WHERE}: clip: background = ${shown(this.clip.background)}: must be empty or one of the labels`);
    }
    if (this.clip) this.form("step");
    if (this.caption) this.checkCaption(this.caption);
    for (const form of this.forms) {
      const size = this.files.get(form.file)?.size;
      if (size === undefined) throw new BundleError(`${WHERE}: form ${form.name}: its file ${shown(form.file)} is not a member`);
      if (form.sizeBytes !== 0 && form.sizeBytes !== size) {
        throw new BundleError(`${WHERE}: form ${form.name}: size_bytes = ${form.sizeBytes}: ${form.file} has ${size}`);
      }
    }
  }

  private checkCaption(caption: CaptionSpec): void {
    if (this.output !== "logits") throw new BundleError(`${WHERE}: output: a caption model gives logits`);
    if (!this.files.has(caption.vocabulary)) {
      throw new BundleError(`${WHERE}: caption: vocabulary = ${shown(caption.vocabulary)}: is not a member`);
    }
    const encode = this.form("encode"), decode = this.form("decode");
    if (encode.file !== decode.file || encode.signature === decode.signature) {
      throw new BundleError(`${WHERE}: forms encode and decode: must be two signatures of one file`);
    }
    const taken = decode.inputs.filter((tensor) => tensor.name !== "token");
    if (taken.length !== encode.outputs.length || !taken.every((tensor) => encode.output(tensor.name).tiedTo(tensor))) {
      throw new BundleError(`${WHERE}: forms encode and decode: what the one gives and the other takes must be the same`);
    }
    const map = decode.outputs.find((tensor) => tensor.name === "attention")?.shape ?? null;
    if (shown(map) !== shown(caption.grid && [1, caption.grid[0] * caption.grid[1]])) {
      throw new BundleError(`${WHERE}: grid = ${shown(caption.grid)}, attention ${shown(map)}: must fit`);
    }
  }
}

/** The format version, before all else: a newer format may have any other key. */
export function checkVersion(fields: Fields): void {
  const version = fields.integer("format_version");
  if (version > FORMAT_VERSION) {
    throw new BundleError(
      `${WHERE}: format_version = ${version}: made by a newer rnnedge (this one reads up to ${FORMAT_VERSION}): update the app`,
    );
  }
  if (version < 1) throw fields.fail("format_version", "must be 1 or more");
}

/** The `files` table: size and digest of each member. */
export function filesOf(fields: Fields): Map<string, FileEntry> {
  const found = new Map<string, FileEntry>();
  for (const [name, entry] of Object.entries(fields.table("files"))) {
    const inner = new Fields(entry, `${WHERE}: files[${shown(name)}]`);
    found.set(name, { size: inner.integer("size", 0), sha256: inner.text("sha256") });
    inner.done();
  }
  return found;
}
