/** What the model sees now: label or sentence, score, events that go on, and the score's history. */

import type { Answer, Caption } from "./engine";
import { Chart } from "./chart";
import { $, make, set } from "./elements";

const SAY_MS = 5000;

/** Keeps the newest answer and shows it when asked: a screen shows fewer than a model gives. */
export class Seen {
  private label = "";
  private score: number | null = null;
  private going: string[] = [];
  private sentence = false;
  private fresh = false;
  private said = 0;
  private readonly chart = new Chart({
    svg: $<SVGSVGElement>("chart"), begin: $("begin"), readout: $("readout"), legend: $("legend"),
  });

  clear(): void {
    this.label = "";
    this.score = null;
    this.going = [];
    this.fresh = this.sentence = false;
    this.chart.clear();
    set("said", "");
    this.show();
  }

  answer(found: Answer): void {
    this.sentence = false;
    this.label = found.label;
    this.score = found.score;
    this.going = found.running ?? [];
    this.fresh = true;
  }

  /** A caption's words appear one by one; its score comes with the last. */
  caption(found: Caption): void {
    this.sentence = true;
    if (!found.words.length && !found.done) return; // the one before stays until there is something new
    this.label = found.words.join(" ") + (found.done ? "" : " …");
    if (!found.done) return;
    this.score = found.score ?? null;
    this.fresh = true;
    this.say(true);
  }

  /** Onto the screen. */
  show(): void {
    set("label", this.label || "–");
    $("label").className = this.sentence ? "sentence" : "";
    set("score", this.score === null ? "–" : `${Math.round(100 * this.score)} %`);
    $("bar").style.width = `${100 * (this.score ?? 0)}%`;
    const running = $("running");
    if ([...running.children].map((item) => item.textContent).join("\n") !== this.going.join("\n")) {
      running.replaceChildren(...this.going.map((label) => make("li", label)));
    }
    if (!this.sentence) this.say(false);
  }

  /** A point of the history, if there was an answer since the last. */
  mark(seconds: number): void {
    const point = this.fresh && this.score !== null ? { score: this.score, label: this.label } : null;
    this.fresh = false;
    this.chart.add(seconds, point, this.sentence);
  }

  // For those who hear the page: not as often as a label may change, but every whole sentence.
  private say(always: boolean): void {
    const now = performance.now();
    if ((!always && now - this.said < SAY_MS) || $("said").textContent === this.label) return;
    this.said = now;
    set("said", this.label);
  }
}
