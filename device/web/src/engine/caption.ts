/** What a caption model assumes about words: its vocabulary, how it is searched, and when it speaks again. */
import { refused } from "./errors";
import { Fields, isCount, isText, shown } from "./fields";
import { sceneCutFrom } from "./scene";

/** Marks that no sentence shows, by their ids. */
export const [PAD, START, END, UNKNOWN] = [0, 1, 2, 3];
const SPECIALS = ["<pad>", "<start>", "<end>", "<unk>"];
const MAX_COUNT = 10_000;

export interface CaptionSpec {
  readonly vocabulary: string;
  readonly maxLength: number;
  readonly beam: number;
  readonly lengthPenalty: number;
  readonly noRepeat: number;
  readonly intervalMs: number;
  readonly sceneCut: number | null;
  readonly grid: number[] | null;
}

export function captionFrom(data: unknown, where: string): CaptionSpec {
  const fields = new Fields(data, where);
  const found = {
    vocabulary: fields.text("vocabulary"),
    maxLength: fields.integer("max_length", 1, MAX_COUNT),
    beam: fields.integer("beam", 1, MAX_COUNT),
    lengthPenalty: fields.number("length_penalty", 0),
    noRepeat: fields.integer("no_repeat", 0, MAX_COUNT),
    intervalMs: fields.positive("interval_ms"),
    sceneCut: fields.optional("scene_cut", sceneCutFrom),
    grid: fields.raw("grid") === null ? null : fields.list("grid", isCount, "must be a list of whole numbers above zero"),
  };
  fields.done();
  if (found.grid && found.grid.length !== 2) throw fields.fail("grid", "must be [rows, columns]");
  return found;
}

/** Words by their ids, one a line: the marks first, then each word once. */
export function vocabularyFrom(member: Uint8Array, name: string): string[] {
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(member);
  } catch {
    throw refused("{name}: must be UTF-8", { name });
  }
  const words = text.replace(/\n$/, "").split("\n");
  if (shown(words.slice(0, SPECIALS.length)) !== shown(SPECIALS)) {
    throw refused("{name}: must begin with {marks}", { name, marks: SPECIALS.join(", ") });
  }
  if (!words.every((word) => isText(word) && /^\S+$/.test(word)) || new Set(words).size !== words.length) {
    throw refused("{name}: must have a word a line, without whitespace, each once", { name });
  }
  return words;
}
