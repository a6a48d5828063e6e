// Asks the runner twice a second how things are, while the page is looked at. Texts are set as text, never as markup.
import { Chart } from "/chart.js";

const $ = (id) => document.getElementById(id);
const POLL_MS = 500, THUMB_MS = 3000, RETRY_MS = 2000, LINES = 200, LATE_S = 3, ANSWER_MS = 8000, SAY_MS = 5000;
const BAD = new Set(["lost", "hung", "black", "frozen", "gave_up", "degraded", "hot"]), GOOD = new Set(["recovered", "restored", "swapped"]);
const chart = new Chart($("chart"), $("begin"), $("readout"), $("legend"));
let chosen = null, lastLine = 0, misses = 0, turn = 0, retry = 0, known = null, run = null, said = 0;

const path = (what, camera = chosen) => `/api/cameras/${encodeURIComponent(camera)}/${what}`;
const set = (id, text) => { if ($(id).textContent !== text) $(id).textContent = text; };

async function ask(url, options) {
  const answer = await fetch(url, { cache: "no-store", signal: AbortSignal.timeout(ANSWER_MS), ...options });
  if (answer.status === 401) { location.href = "/login"; throw new Error("log in"); }
  const body = await answer.json();
  if (!answer.ok) throw new Error(body.error || answer.statusText);
  return body;
}

function make(name, text, className) {
  const made = document.createElement(name);
  made.textContent = text;
  if (className) made.className = className;
  return made;
}

// --- the picture

function look() {
  clearTimeout(retry);
  $("picture").removeAttribute("src");
  if (chosen === null || document.hidden) return;
  $("picture").alt = `Live picture of ${chosen}`;
  $("picture").src = path("stream.mjpg");
}

$("picture").addEventListener("load", () => { $("no-picture").hidden = true; });
$("picture").addEventListener("error", () => {
  if (!$("picture").hasAttribute("src")) return;
  $("no-picture").hidden = false;
  clearTimeout(retry);
  retry = setTimeout(look, RETRY_MS);
});

// --- cameras

function begin() {
  lastLine = 0; turn++;
  $("lines").replaceChildren(); $("no-lines").hidden = false;
  chart.clear();
}

function choose(name) {
  if (chosen === name) return;
  chosen = name;
  begin();
  $("no-picture").hidden = false;
  set("told", "");
  for (const button of $("cameras").children) button.setAttribute("aria-pressed", String(button.value === name));
  look();
}

function cameras(all) {
  const names = Object.keys(all);
  if (names.join("\n") !== known) {
    known = names.join("\n");
    $("cameras").replaceChildren(...names.map((name) => {
      const button = make("button", "");
      button.type = "button"; button.value = name;
      const thumb = document.createElement("img");
      thumb.alt = "";
      button.append(thumb, make("b", name), make("span", ""));
      button.addEventListener("click", () => { choose(name); poll(); });
      return button;
    }));
    $("cameras").hidden = names.length < 2;
    chosen = names.includes(chosen) ? chosen : null;
    if (names.length) choose(chosen ?? names[0]);
    thumbs();
  }
  for (const button of $("cameras").children) {
    const camera = all[button.value], well = camera.state === "running" && !camera.health;
    button.setAttribute("aria-pressed", String(button.value === chosen));
    button.className = well ? "" : "bad";
    button.lastChild.textContent = well ? camera.label ?? "running" : camera.health ?? camera.state;
  }
}

function thumbs() {
  if (document.hidden || $("cameras").hidden) return;
  for (const button of $("cameras").children) button.firstChild.src = `${path("picture.jpg", button.value)}?${Date.now()}`;
}

// --- what is seen

const ms = (value) => value === undefined || value === null ? null : value < 10 ? value.toFixed(2) : value < 100 ? value.toFixed(1) : Math.round(value).toString();
const number = (value) => value.toLocaleString("en");

function figure(id, value, unit) {
  const known = value !== null && value !== undefined;
  $(id).replaceChildren(known ? `${value}` : "–", make("small", known ? unit : ""));
}

function latency(id, found) {
  figure(id, ms(found?.median), ms(found?.p95) === null ? "ms" : `ms, p95 ${ms(found.p95)}`);
}

function span(seconds) {
  if (seconds < 120) return `${Math.round(seconds)} s`;
  if (seconds < 7200) return `${Math.round(seconds / 60)} min`;
  return seconds < 172800 ? `${Math.round(seconds / 3600)} h` : `${Math.round(seconds / 86400)} days`;
}

function details(rows) {
  $("details").replaceChildren(...rows.filter(([, value]) => value !== undefined && value !== null && value !== "")
    .flatMap(([name, value]) => [make("dt", name), make("dd", `${value}`)]));
}

// For those who hear the page: what is seen, not as often as it may change.
function say(label) {
  if (Date.now() - said < SAY_MS || $("said").textContent === label) return;
  said = Date.now();
  $("said").textContent = label;
}

function show(camera) {
  const sentence = camera.task === "captions", score = camera.score;
  set("label", camera.label ?? "–");
  say(camera.label ?? "");
  $("label").className = sentence ? "sentence" : "";
  set("score", score === null || score === undefined ? "–" : `${Math.round(100 * score)} %`);
  $("bar").style.width = `${100 * (score ?? 0)}%`;
  $("running").replaceChildren(...(camera.running ?? []).map((label) => make("li", label)));
  figure("fps", camera.fps?.toFixed(1), "");
  latency("latency", camera.latency_ms);
  latency("answer", camera.capture_to_event_ms);
  const rate = camera.model_rate;
  figure("rate", rate?.actual?.toFixed(1), rate?.wanted ? `of ${+rate.wanted.toFixed(1)}` : "");
  figure("dropped", camera.dropped === undefined ? null : number(camera.dropped), camera.frames ? `of ${number(camera.frames + camera.dropped)}` : "");
  const age = camera.last_frame_age_s;
  figure("age", age === undefined || age === null ? null : age < 10 ? age.toFixed(1) : span(age), age < 10 ? "s ago" : "ago");
  $("frame").className = age > LATE_S ? "stale" : "";
  set("state", camera.state ?? "–");
  const well = camera.state === "running" && !camera.health;
  $("state").className = `chip ${well ? "good" : camera.state === "failed" ? "bad" : "warn"}`;
  set("problem", camera.health ? `Picture: ${camera.health.replace("_", " ")}` : "");
  const resets = Object.entries(camera.resets ?? {}).map(([reason, count]) => `${count} ${reason}`).join(", ");
  details([
    ["Source", camera.source], ["Bundle", camera.bundle], ["SHA-256", camera.bundle_sha256?.slice(0, 16)],
    ["Form", camera.form], ["Steps", camera.steps === undefined ? null : number(camera.steps)], ["Resets", resets],
    ["Restarts", camera.restarts], ["Unreadable", camera.skipped || null],
  ]);
}

function sinks(all) {
  const names = Object.keys(all ?? {});
  if (!names.length) { $("sinks").replaceChildren(); return; }
  const table = document.createElement("table"), head = table.createTHead().insertRow(), body = table.createTBody();
  for (const title of ["Sink", "Waiting", "Sent", "Lost"]) { const cell = make("th", title); cell.scope = "col"; head.append(cell); }
  for (const name of names) {
    const row = body.insertRow(), sink = all[name];
    for (const value of [name, number(sink.queued ?? 0), number(sink.sent ?? 0), number(sink.lost ?? 0)]) row.append(make("td", value));
    if (sink.failing) { const cell = make("td", sink.failing, "bad"); cell.colSpan = 4; body.insertRow().append(cell); }
  }
  $("sinks").replaceChildren(make("h3", "Sinks"), table);
}

function line(event) {
  const item = document.createElement("li");
  const when = event.wall ? new Date(event.wall) : null;
  const time = make("time", when ? when.toLocaleTimeString([], { hour12: false }) : `${(event.ts_ms / 1000).toFixed(1)} s`);
  if (when) { time.dateTime = event.wall; time.title = when.toLocaleString(); }
  const percent = event.score === undefined ? "" : `, ${Math.round(100 * event.score)} %`;
  let chip, text;
  if (event.health) {
    chip = make("span", event.health.replace("_", " "), `chip ${BAD.has(event.health) ? "bad" : GOOD.has(event.health) ? "good" : "warn"}`);
    text = event.detail ?? "";
  } else if (event.event) {
    chip = make("span", event.event, `chip ${event.event === "start" ? "warn" : ""}`);
    const lasted = event.event === "end" ? ` after ${((event.end_ms - event.start_ms) / 1000).toFixed(1)} s` : "";
    text = `${event.label}${lasted}${percent}`;
  } else {
    chip = make("span", (event.reason ?? "").replace("_", " "), "chip");
    text = `${event.label}${percent}`;
  }
  item.append(time, chip, make("span", text));
  return item;
}

function events(found) {
  if (!found.length) return;
  lastLine = found[found.length - 1].number;
  $("lines").prepend(...found.reverse().map(line));
  while ($("lines").children.length > LINES) $("lines").lastChild.remove();
  $("no-lines").hidden = true;
}

function machine(all) {
  const chip = $("health");
  set("health", all.healthy ? "Healthy" : "Needs attention");
  chip.className = `chip ${all.healthy ? "good" : "bad"}`;
  const parts = [all.uptime_s === undefined ? null : `up ${span(all.uptime_s)}`];
  if (all.temperature_c !== null && all.temperature_c !== undefined) parts.push(`${all.temperature_c.toFixed(0)} °C`);
  if (all.throttled?.length) parts.push(`slowed down: ${all.throttled.join(", ")}`);
  set("machine", parts.filter(Boolean).join(" · "));
}

// --- round and round

let polling = false;
async function poll() {
  if (polling || document.hidden) return;
  polling = true;
  try {
    const all = await ask("/api/status");
    if (misses > 1) look();  // the stream may hang on what is no more
    if (run !== null && run !== all.run) begin();  // another run counts anew
    run = all.run;
    cameras(all.cameras ?? {});
    machine(all);
    sinks(all.sinks);
    if (chosen !== null) {
      const camera = all.cameras[chosen], mine = turn;
      show(camera);
      document.title = `${camera.label ?? chosen} · rnnedge`;
      const scores = await ask(`${path("history")}?after=${chart.last}`), told = await ask(`${path("events")}?after=${lastLine}`);
      if (mine === turn) { chart.add(scores.points, scores.now, camera.task === "captions"); events(told.events); }
    }
    misses = 0;
  } catch (problem) {
    if (++misses > 1) { set("health", "No connection"); $("health").className = "chip bad"; }
  } finally {
    polling = false;
  }
}

async function act(what) {
  $("told").className = "";
  try {
    await ask(path(what), { method: "POST" });
    set("told", what === "reset" ? "The state begins anew with the next frame." : "Asked for; the events tell how it went.");
  } catch (problem) {
    $("told").className = "bad";
    set("told", problem.message);
  }
}

$("reset").addEventListener("click", () => act("reset"));
$("rollback").addEventListener("click", () => { $("sure").returnValue = ""; $("sure").showModal(); });
$("sure").addEventListener("close", () => { if ($("sure").returnValue === "yes") act("rollback"); });
document.addEventListener("visibilitychange", () => { look(); poll(); thumbs(); });
setInterval(poll, POLL_MS);
setInterval(thumbs, THUMB_MS);
poll();
