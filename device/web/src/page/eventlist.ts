/** The list of what happened: events, captions, labels that changed. */

import type { EventLine } from "../protocol";
import { $, make } from "./elements";
import { type Words, words } from "./language";

const MOST = 100;
const TONE = { start: "warn", end: "" };

/** Newest first. A classifier's lines are one a frame: of those only a change of label is listed. */
export class EventList {
  private label: string | null = null;

  clear(): void {
    this.label = null;
    $("lines").replaceChildren();
    $("no-lines").hidden = false;
  }

  add(lines: EventLine[], when: Date): void {
    for (const line of lines) {
      if (!this.matters(line)) continue;
      $("lines").prepend(item(line, when));
      $("no-lines").hidden = true;
    }
    while ($("lines").children.length > MOST) $("lines").lastChild!.remove();
  }

  private matters(line: EventLine): boolean {
    if (line.event || line.task === "captions") return true;
    const changed = line.label !== this.label;
    this.label = line.label;
    return changed || line.reset !== undefined;
  }
}

const RESET = { start: "resetStart", gap: "resetGap", cut: "resetCut", demand: "resetDemand" } as const;
const WHY = { start: "firstCaption", scene_cut: "cutCaption", interval: "dueCaption" } as const;

function item(line: EventLine, when: Date): HTMLElement {
  const made = document.createElement("li");
  const time = make("time", when.toLocaleTimeString([], { hour12: false })) as HTMLTimeElement;
  time.dateTime = when.toISOString();
  made.append(time, chip(line), make("span", content(line)));
  return made;
}

function chip(line: EventLine): HTMLElement {
  if (line.event) return make("span", words(line.event === "start" ? "begun" : "ended"), `chip ${TONE[line.event]}`);
  return make("span", line.reason ? words(WHY[line.reason]) : words("share", { score: percent(line) }), "chip");
}

function content(line: EventLine): Words | string {
  const { label } = line, score = percent(line);
  if (line.event === "start") return words("since", { label, score });
  if (line.event === "end") {
    const s = (((line.end_ms ?? 0) - (line.start_ms ?? 0)) / 1000).toFixed(1);
    return words("after", { label, s, score });
  }
  return line.reset ? words(RESET[line.reset], { label }) : label;
}

const percent = (line: EventLine): number => Math.round(100 * line.score);
