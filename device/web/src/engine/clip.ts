/** What a clip model assumes about time: its rate, its memory's limits, and how scores become events. */
import { type EventRules, eventRulesFrom } from "./events";
import { Fields } from "./fields";
import { sceneCutFrom } from "./scene";

const MAX_COUNT = 1_000_000;
const MAX_HELD = 10_000; // steps of one frame: a bundle must not be able to keep a worker busy for hours

export interface ClipSpec {
  /** Model steps a second. */
  readonly rate: number;
  readonly background: string;
  readonly maxGapMs: number;
  readonly sceneCut: number | null;
  readonly events: EventRules;
}

export function clipFrom(data: unknown, where: string): ClipSpec {
  const fields = new Fields(data, where);
  const fps = fields.positive("fps"), stride = fields.integer("stride", 1, MAX_COUNT);
  fields.integer("length", 1, MAX_COUNT);
  fields.text("head", undefined, ["last", "every", "both"]);
  const found = {
    rate: fps / stride,
    background: fields.text("background"),
    maxGapMs: fields.positive("max_gap_ms"),
    sceneCut: fields.optional("scene_cut", sceneCutFrom),
    events: eventRulesFrom(fields.raw("events"), `${where}: events`),
  };
  fields.done();
  if ((found.rate * found.maxGapMs) / 1000 > MAX_HELD) {
    throw fields.fail("max_gap_ms", "a frame would be held for more than {most} steps", { most: MAX_HELD });
  }
  return found;
}
