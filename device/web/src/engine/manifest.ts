/** The manifest: what a bundle says about itself, typed and strict. */
import { type CaptionSpec, captionFrom } from "./caption";
import { type ClipSpec, clipFrom } from "./clip";
import { refused } from "./errors";
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
    this.labels = fields.list("labels", isText, "must be a list of texts");
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
    if (found) return found;
    throw refused("form '{name}': this bundle has {forms}", { name, forms: this.forms.map((form) => form.name).join(", ") });
  }

  private check(): void {
    if (this.labels.length > 0 === (this.task === "captions") || !this.forms.length) {
      const gaps = { where: WHERE, labels: this.labels.length, forms: this.forms.length };
      throw refused("{where}: {labels} labels, {forms} forms: at least one, captions have no labels", gaps);
    }
    if (new Set(this.forms.map((form) => form.name)).size !== this.forms.length) {
      throw refused("{where}: forms: each name once", { where: WHERE });
    }
    for (const form of this.forms) form.check(this.preprocess.shape, this.labels.length, this.task);
    if ((this.clip !== null) !== (this.task === "clips") || (this.caption !== null) !== (this.task === "captions")) {
      const problem = "{where}: clip is there for task clips, caption for task captions, and only there";
      throw refused(problem, { where: WHERE });
    }
    if (this.preprocess.foreground && (this.clip === null || this.clip.sceneCut !== null)) {
      const problem = "{where}: preprocess: foreground: is for task clips, of a camera that does not move: no scene_cut";
      throw refused(problem, { where: WHERE });
    }
    if (this.clip?.background && !this.labels.includes(this.clip.background)) {
      const gaps = { where: WHERE, value: shown(this.clip.background) };
      throw refused("{where}: clip: background = {value}: must be empty or one of the labels", gaps);
    }
    if (this.clip) this.form("step");
    if (this.caption) this.checkCaption(this.caption);
    for (const form of this.forms) {
      const { name, file, sizeBytes } = form, size = this.files.get(file)?.size;
      if (size === undefined) {
        throw refused("{where}: form {form}: its file {file} is not a member", { where: WHERE, form: name, file: shown(file) });
      }
      if (sizeBytes !== 0 && sizeBytes !== size) {
        const gaps = { where: WHERE, form: name, declared: sizeBytes, file, size };
        throw refused("{where}: form {form}: size_bytes = {declared}: {file} has {size}", gaps);
      }
    }
  }

  private checkCaption(caption: CaptionSpec): void {
    if (this.output !== "logits") throw refused("{where}: output: a caption model gives logits", { where: WHERE });
    if (!this.files.has(caption.vocabulary)) {
      const gaps = { where: `${WHERE}: caption`, name: shown(caption.vocabulary) };
      throw refused("{where}: vocabulary = {name}: is not a member", gaps);
    }
    const encode = this.form("encode"), decode = this.form("decode");
    if (encode.file !== decode.file || encode.signature === decode.signature) {
      throw refused("{where}: forms encode and decode: must be two signatures of one file", { where: WHERE });
    }
    const taken = decode.inputs.filter((tensor) => tensor.name !== "token");
    if (taken.length !== encode.outputs.length || !taken.every((tensor) => encode.output(tensor.name).tiedTo(tensor))) {
      const problem = "{where}: forms encode and decode: what the one gives and the other takes must be the same";
      throw refused(problem, { where: WHERE });
    }
    const map = decode.outputs.find((tensor) => tensor.name === "attention")?.shape ?? null;
    if (shown(map) !== shown(caption.grid && [1, caption.grid[0] * caption.grid[1]])) {
      const gaps = { where: WHERE, grid: shown(caption.grid), attention: shown(map) };
      throw refused("{where}: grid = {grid}, attention {attention}: must fit", gaps);
    }
  }
}

/** The format version, before all else: a newer format may have any other key. */
export function checkVersion(fields: Fields): void {
  const version = fields.integer("format_version");
  if (version > FORMAT_VERSION) {
    const gaps = { where: WHERE, version, most: FORMAT_VERSION };
    throw refused("{where}: made by a newer rnnedge (format {version}; this one reads up to {most}): update the app", gaps);
  }
  if (version < 1) throw fields.fail("format_version", "must be {least} or more", { least: 1 });
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
