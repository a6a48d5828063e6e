// The score of up to five minutes as a line, and which label had it as a strip of colours below.

const SPAN_S = 300, LEAST_S = 60, WIDTH = 600, TOP = 4, BASE = 126, STRIP = 134, HEIGHT = 150, COLOURS = 8;
const GAP_S = 2.5;  // a longer pause between two points leaves a gap in the line

function element(name, attributes) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}

export class Chart {
  constructor(svg, begin, readout, legend) {
    this.svg = svg; this.begin = begin; this.readout = readout; this.legend = legend;
    this.clear();
    svg.addEventListener("pointermove", (event) => this.point(event));
    svg.addEventListener("pointerdown", (event) => this.point(event));
    svg.addEventListener("pointerleave", () => { this.at = null; this.draw(); });
  }

  clear() {
    this.points = []; this.now = 0; this.at = null; this.sentences = false; this.colours = new Map();
    this.draw();
  }

  get last() { return this.points.length ? this.points[this.points.length - 1][0] : 0; }

  // points: [[seconds, score, label], ...] later than those there are; now: the same clock.
  add(points, now, sentences) {
    this.now = now; this.sentences = sentences;
    this.points = this.points.concat(points).filter(([time]) => time > now - SPAN_S);
    this.draw();
  }

  // In the first minutes there is less to show.
  get span() { return this.points.length ? Math.min(SPAN_S, Math.max(LEAST_S, this.now - this.points[0][0])) : LEAST_S; }

  x(time) { return WIDTH - (this.now - time) / this.span * WIDTH; }

  runs() {  // neighbours without a gap
    const found = [];
    for (const point of this.points) {
      const run = found[found.length - 1];
      if (run && point[0] - run[run.length - 1][0] < (this.sentences ? SPAN_S : GAP_S)) run.push(point);
      else found.push([point]);
    }
    return found;
  }

  // A label keeps its colour while it is to be seen.
  colour() {
    const counts = new Map();
    for (const [, , label] of this.points) counts.set(label, (counts.get(label) || 0) + 1);
    for (const label of this.colours.keys()) if (!counts.has(label)) this.colours.delete(label);
    for (const [label] of [...counts].sort((a, b) => b[1] - a[1])) {
      if (this.colours.has(label)) continue;
      const used = new Set(this.colours.values());
      const free = [...Array(COLOURS - 1).keys()].find((number) => !used.has(number));
      this.colours.set(label, free === undefined ? COLOURS - 1 : free);
    }
    return counts;
  }

  draw() {
    const parts = [0, 0.5, 1].map((share) => {
      const y = BASE - share * (BASE - TOP);
      return element("line", { class: "grid", x1: 0, x2: WIDTH, y1: y, y2: y });
    });
    const counts = this.colour();
    for (const run of this.runs()) {
      const spots = run.map(([time, score]) => `${this.x(time).toFixed(1)},${(BASE - score * (BASE - TOP)).toFixed(1)}`);
      const first = this.x(run[0][0]).toFixed(1), last = this.x(run[run.length - 1][0]).toFixed(1);
      parts.push(element("polygon", { class: "area", points: `${first},${BASE} ${spots.join(" ")} ${last},${BASE}` }));
      parts.push(element("polyline", { class: "score-line", points: spots.join(" ") }));
      if (!this.sentences) parts.push(...this.strip(run));
    }
    if (this.at !== null) parts.push(element("line", { class: "cursor", x1: this.x(this.at), x2: this.x(this.at), y1: TOP, y2: HEIGHT }));
    this.svg.replaceChildren(...parts);
    this.tell(counts);
  }

  strip(run) {
    const parts = [];
    for (let begin = 0; begin < run.length;) {
      let end = begin;
      while (end < run.length && run[end][2] === run[begin][2]) end++;
      const x = this.x(run[begin][0]), until = this.x((run[end] || run[run.length - 1])[0]);
      parts.push(element("rect", { class: `strip c${this.colours.get(run[begin][2])}`, x, y: STRIP, width: Math.max(1, until - x), height: HEIGHT - STRIP }));
      begin = end;
    }
    return parts;
  }

  tell(counts) {
    const shown = this.sentences ? [] : [...counts].sort((a, b) => b[1] - a[1]).slice(0, COLOURS - 1);
    this.legend.replaceChildren(...shown.map(([label, count]) => {
      const item = document.createElement("li");
      item.className = `c${this.colours.get(label)}`;
      item.textContent = `${label} ${Math.round(100 * count / this.points.length)} %`;
      return item;
    }));
    const minutes = this.span / 60, newest = this.points[this.points.length - 1];
    this.begin.textContent = minutes < 1.95 ? `${Math.round(this.span)} s ago` : `${Math.round(minutes)} min ago`;
    if (newest) {
      const scores = this.points.map(([, score]) => Math.round(100 * score));
      this.svg.setAttribute("aria-label", `Score of the last ${minutes < 1.95 ? `${Math.round(this.span)} seconds` : `${Math.round(minutes)} minutes`}: `
        + `from ${Math.min(...scores)} to ${Math.max(...scores)} %, now ${Math.round(100 * newest[1])} % for ${newest[2]}`);
    }
    if (this.at === null) { this.readout.textContent = ""; return; }
    const [time, score, label] = this.points.reduce((best, point) => Math.abs(point[0] - this.at) < Math.abs(best[0] - this.at) ? point : best);
    const ago = Math.round(this.now - time);
    this.readout.textContent = `${Math.floor(ago / 60)}:${String(ago % 60).padStart(2, "0")} ago: ${label}, ${Math.round(100 * score)} %`;
  }

  point(event) {
    if (!this.points.length) return;
    const box = this.svg.getBoundingClientRect();
    this.at = this.now - (1 - (event.clientX - box.left) / box.width) * this.span;
    this.draw();
  }
}
