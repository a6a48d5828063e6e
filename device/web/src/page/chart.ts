/** The score of up to five minutes as a line, and which label had it as a strip of colours below. */

import { make } from "./elements";
import { name, say, spoken, words } from "./language";

const SPAN_S = 300, LEAST_S = 30, WIDTH = 600, TOP = 4, BASE = 126, STRIP = 134, HEIGHT = 150, COLOURS = 8;
const GAP_S = 2.5; // a longer pause between two points leaves a gap in the line

interface Point {
  time: number; // seconds
  score: number;
  label: string;
}

/** The parts of the page that the chart fills. */
export interface Places {
  svg: SVGSVGElement;
  begin: HTMLElement;
  readout: HTMLElement;
  legend: HTMLElement;
}

export class Chart {
  private points: Point[] = [];
  private now = 0;
  private at: number | null = null;
  private sentences = false;
  private colours = new Map<string, number>();
  private readonly places: Places;

  constructor(places: Places) {
    this.places = places;
    const { svg } = places;
    const point = (event: PointerEvent) => this.point(event);
    svg.addEventListener("pointermove", point);
    svg.addEventListener("pointerdown", point);
    svg.addEventListener("pointerleave", () => {
      this.at = null;
      this.draw();
    });
    this.draw();
  }

  clear(): void {
    this.points = [];
    this.at = null;
    this.colours.clear();
    this.draw();
  }

  /** `now` in seconds, not before the points; sentences have no strip of labels. */
  add(now: number, found: { score: number; label: string } | null, sentences: boolean): void {
    this.now = now;
    this.sentences = sentences;
    if (found) this.points.push({ time: now, ...found });
    while (this.points.length && this.points[0]!.time < now - SPAN_S) this.points.shift();
    this.draw();
  }

  // In the first minutes there is less to show.
  private get span(): number {
    return this.points.length ? Math.min(SPAN_S, Math.max(LEAST_S, this.now - this.points[0]!.time)) : LEAST_S;
  }

  private x(time: number): number {
    return WIDTH - ((this.now - time) / this.span) * WIDTH;
  }

  /** Neighbours without a gap. */
  private runs(): Point[][] {
    const found: Point[][] = [];
    for (const point of this.points) {
      const run = found.at(-1);
      if (run && point.time - run.at(-1)!.time < (this.sentences ? SPAN_S : GAP_S)) run.push(point);
      else found.push([point]);
    }
    return found;
  }

  /** How often each label was; a label keeps its colour while it is to be seen. */
  private colour(): [string, number][] {
    const counts = new Map<string, number>();
    for (const { label } of this.points) counts.set(label, (counts.get(label) ?? 0) + 1);
    for (const label of [...this.colours.keys()]) if (!counts.has(label)) this.colours.delete(label);
    const sorted = [...counts].sort((a, b) => b[1] - a[1]);
    for (const [label] of sorted) {
      if (this.colours.has(label)) continue;
      const used = new Set(this.colours.values());
      let free = 0;
      while (free < COLOURS - 1 && used.has(free)) free++;
      this.colours.set(label, free);
    }
    return sorted;
  }

  private draw(): void {
    const parts = [0, 0.5, 1].map((share) => {
      const y = BASE - share * (BASE - TOP);
      return shape("line", { class: "grid", x1: 0, x2: WIDTH, y1: y, y2: y });
    });
    const counts = this.colour();
    for (const run of this.runs()) {
      const spots = run.map(({ time, score }) => `${this.x(time).toFixed(1)},${(BASE - score * (BASE - TOP)).toFixed(1)}`);
      const first = this.x(run[0]!.time).toFixed(1), last = this.x(run.at(-1)!.time).toFixed(1);
      parts.push(shape("polygon", { class: "area", points: `${first},${BASE} ${spots.join(" ")} ${last},${BASE}` }));
      parts.push(shape("polyline", { class: "score-line", points: spots.join(" ") }));
      if (!this.sentences) parts.push(...this.strip(run));
    }
    if (this.at !== null) {
      const x = this.x(this.at);
      parts.push(shape("line", { class: "cursor", x1: x, x2: x, y1: TOP, y2: HEIGHT }));
    }
    this.places.svg.replaceChildren(...parts);
    this.tell(counts);
  }

  private strip(run: Point[]): SVGElement[] {
    const parts: SVGElement[] = [];
    for (let begin = 0; begin < run.length; ) {
      let end = begin;
      while (end < run.length && run[end]!.label === run[begin]!.label) end++;
      const x = this.x(run[begin]!.time), until = this.x((run[end] ?? run.at(-1)!).time);
      const colour = `strip c${this.colours.get(run[begin]!.label)}`;
      parts.push(shape("rect", { class: colour, x, y: STRIP, width: Math.max(1, until - x), height: HEIGHT - STRIP }));
      begin = end;
    }
    return parts;
  }

  private tell(counts: [string, number][]): void {
    const { svg, begin, readout, legend } = this.places;
    const shown = this.sentences ? [] : counts.slice(0, COLOURS - 1);
    legend.replaceChildren(
      ...shown.map(([label, count]) => {
        const item = make("li", "", `c${this.colours.get(label)}`);
        item.append(make("b", label), ` ${Math.round((100 * count) / this.points.length)} %`);
        return item;
      }),
    );
    const long = this.span >= 117, n = Math.round(long ? this.span / 60 : this.span);
    say(begin, words(long ? "minutes" : "seconds", { n }));
    readout.textContent = "";
    if (!this.points.length) return name(svg, words("history"));
    const scores = this.points.map(({ score }) => Math.round(100 * score)), newest = this.points.at(-1)!;
    const facts = {
      span: words(long ? "spanMinutes" : "spanSeconds", { n }), low: Math.min(...scores), high: Math.max(...scores),
      now: scores.at(-1)!, label: newest.label,
    };
    name(svg, words("chart", facts));
    if (this.at === null) return;
    const at = this.at, far = (point: Point) => Math.abs(point.time - at);
    const near = this.points.reduce((best, point) => (far(point) < far(best) ? point : best));
    const ago = Math.round(this.now - near.time);
    const time = `${Math.floor(ago / 60)}:${String(ago % 60).padStart(2, "0")}`;
    readout.textContent = spoken(words("readout", { time, label: near.label, score: Math.round(100 * near.score) }));
  }

  private point(event: PointerEvent): void {
    if (!this.points.length) return;
    const box = this.places.svg.getBoundingClientRect();
    this.at = this.now - (1 - (event.clientX - box.left) / box.width) * this.span;
    this.draw();
  }
}

function shape(name: string, attributes: Record<string, string | number>): SVGElement {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, String(value));
  return made;
}
