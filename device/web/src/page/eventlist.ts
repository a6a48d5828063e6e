/** The list of what happened: events, captions, labels that changed. */

import type { EventLine } from "../protocol";
import { $, make } from "./elements";
import { text } from "./texts";

const MOST = 100;

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

function item(line: EventLine, when: Date): HTMLElement {
  const made = document.createElement("li");
  const time = make("time", when.toLocaleTimeString([], { hour12: false })) as HTMLTimeElement;
  time.dateTime = when.toISOString();
  const percent = `${Math.round(100 * line.score)} %`;
  let chip: HTMLElement, words: string;
  if (line.event) {
    chip = make("span", text(line.event === "start" ? "begun" : "ended"), `chip ${line.event === "start" ? "warn" : ""}`);
    const lasted = ((line.end_ms ?? 0) - (line.start_ms ?? 0)) / 1000;
    words = line.event === "end" ? text("after", { label: line.label, s: lasted.toFixed(1) }) : line.label;
  } else {
    chip = make("span", line.task === "captions" ? (line.reason ?? "").replaceAll("_", " ") : percent, "chip");
    words = line.label + (line.reset ? ` (${text("reason", { reason: line.reset.replaceAll("_", " ") })})` : "");
  }
  made.append(time, chip, make("span", line.event ? `${words}, ${percent}` : words));
  return made;
}
