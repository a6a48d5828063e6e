/** The page: a camera, the engine, and what both have to say. */

import { stayAwake } from "./awake";
import { fromAddress, fromFile, NotLoaded, ownAddress } from "./bundle";
import { Camera, reason } from "./camera";
import { $, make, set } from "./elements";
import { Engine, type Loaded } from "./engine";
import { EventList } from "./eventlist";
import { Figures } from "./figures";
import { Frames } from "./frames";
import { Log } from "./log";
import { keepOffline } from "./offline";
import { Seen } from "./seen";
import { missing } from "./support";
import { preferred, remember, speak, text, type TextKey, language } from "./texts";

const SHOW_MS = 100, MARK_MS = 500;
type State = "loading" | "none" | "ready" | "live2" | "stopped" | "failed";

const video = $<HTMLVideoElement>("picture");
const seen = new Seen(), list = new EventList(), figures = new Figures(), log = new Log();
const camera = new Camera(video, () => stop("lost"));
const sentAt = new Map<number, number>(); // when a frame was seen, by its number
let bundle: Loaded | null = null;
let state: State = "loading";
let resume = false; // was it running when the page was hidden?
let loading = 0;

const engine = new Engine({
  loaded(found) {
    performance.mark("loaded");
    bundle = found;
    begin();
    details();
    $("running").hidden = found.task !== "clips";
    if (!camera.open) enter("ready");
    else enter("live2");
    tell(null);
  },
  answer(found) {
    seen.answer(found);
    figures.answer(found.inference_ms, performance.now() - (sentAt.get(found.id) ?? performance.now()));
    note(found.events);
  },
  caption(found) {
    seen.caption(found);
    if (!found.done) return;
    if (found.inference_ms !== undefined) {
      figures.answer(found.inference_ms, performance.now() - (sentAt.get(found.id) ?? performance.now()));
    }
    note(found.events ?? []);
  },
  done(id) {
    figures.frame(performance.now());
    frames.done(id);
    // A caption's later words may still ask for its frame.
    for (const old of sentAt.keys()) if (old < id - 600) sentAt.delete(old);
  },
  problem(message, detail) {
    tell(message);
    if (detail) console.warn(detail);
    if (!bundle) enter("failed");
    else if (state === "loading") enter(camera.open ? "live2" : "ready");
  },
  finished: note,
  gone(detail) {
    bundle = null;
    stop();
    enter("failed");
    tell(text("engineGone", { detail }));
  },
});

const frames = new Frames(video, ({ id, picture, tsMs }) => {
  sentAt.set(id, performance.now());
  engine.frame(id, picture, tsMs);
});

// --- what is said

function tell(message: string | null): void {
  $("notice").hidden = message === null;
  set("notice", message ?? "");
}

function enter(next: State): void {
  state = next;
  set("state", text(next));
  $("state").className = `chip ${next === "live2" ? "good" : next === "failed" ? "bad" : next === "loading" ? "warn" : ""}`;
  const start = $<HTMLButtonElement>("start");
  start.disabled = bundle === null;
  start.textContent = text(camera.open ? "stop" : "start");
  start.classList.toggle("main", !camera.open);
  $<HTMLButtonElement>("reset").disabled = bundle === null;
  $("no-picture").hidden = camera.open;
  set("no-picture", bundle ? text("pressStart") : next === "failed" ? "" : text(next === "loading" ? "loading" : "chooseBundle"));
}

function details(): void {
  set("name", bundle?.name ?? "rnnedge");
  document.title = bundle ? `${bundle.name} · rnnedge` : "rnnedge";
  if (!bundle) return;
  const rows: [TextKey, string | undefined][] = [
    ["name", bundle.name], ["task", text(bundle.task)], ["input", bundle.input.join(" × ")], ["form", bundle.form],
    ["runtime", bundle.runtime], ["rate", bundle.rate?.toString()], ["signed", bundle.signed_by ?? text("unsigned")],
  ];
  const known = rows.filter(([, value]) => value !== undefined);
  $("details").replaceChildren(...known.flatMap(([key, value]) => [make("dt", text(key)), make("dd", value!)]));
}

function record(): void {
  $("record").textContent = text(log.on ? "save" : "record");
  $("record").setAttribute("aria-pressed", String(log.on));
  if (log.on) set("recorded", text(log.full ? "full" : "recording", { count: log.count.toLocaleString() }));
}

function note(lines: Parameters<EventList["add"]>[0]): void {
  if (!lines.length) return;
  list.add(lines, new Date());
  log.add(lines);
}

function begin(): void {
  seen.clear();
  list.clear();
  figures.clear();
  frames.sent = frames.dropped = 0;
}

// --- bundles

async function load(bytes: Promise<ArrayBuffer>): Promise<void> {
  const turn = ++loading, before = state;
  enter("loading");
  tell(null);
  try {
    const whole = await bytes;
    if (turn === loading) engine.load(whole);
  } catch (problem) {
    if (turn !== loading) return;
    enter(bundle ? before : "none");
    tell(problem instanceof NotLoaded ? problem.message : String(problem));
  }
}

async function own(): Promise<void> {
  const address = await ownAddress();
  if (address === null) enter("none");
  else await load(fromAddress(address));
}

// --- the camera

async function start(id?: string): Promise<void> {
  tell(null);
  set("no-picture", text("opening"));
  try {
    if (!(await camera.start(id))) return;
  } catch (problem) {
    camera.stop();
    enter("failed");
    tell(reason(problem));
    return;
  }
  figures.clear();
  frames.start();
  enter("live2");
  void stayAwake(true);
  await choices();
}

function stop(why?: TextKey): void {
  still();
  camera.stop();
  void stayAwake(false);
  enter("stopped");
  if (why) tell(text(why));
}

// Another camera is another source: what runs ends, and the next frame begins anew.
function still(): void {
  frames.stop();
  engine.finish();
}

async function choices(): Promise<void> {
  const all = await camera.list();
  $("turn").hidden = all.length < 2;
  $("cameras").hidden = all.length < 2;
  const select = $<HTMLSelectElement>("camera");
  select.replaceChildren(
    ...all.map((device, index) => new Option(device.label || `${text("camera")} ${index + 1}`, device.deviceId)),
  );
  select.value = camera.id ?? "";
}

async function turn(): Promise<void> {
  const all = await camera.list();
  const at = all.findIndex((device) => device.deviceId === camera.id);
  still();
  // Two cameras look two ways; of more the next is taken.
  camera.facing = camera.facing === "user" ? "environment" : "user";
  await start(all.length === 2 || at < 0 ? (at < 0 ? undefined : all[1 - at]!.deviceId) : all[(at + 1) % all.length]!.deviceId);
}

// --- buttons

function words(): void {
  details();
  record();
  enter(state);
  if (camera.open) void choices();
}

$("start").addEventListener("click", () => void (camera.open ? stop() : start()));
$("turn").addEventListener("click", () => void turn());
$("camera").addEventListener("change", () => {
  still();
  void start($<HTMLSelectElement>("camera").value);
});
$("reset").addEventListener("click", () => {
  engine.reset();
  begin();
});
$("language").addEventListener("click", () => {
  const next = language() === "en" ? "zh" : "en";
  remember(next);
  speak(next);
  words();
});
$("record").addEventListener("click", () => {
  if (!log.on) {
    log.start();
    record();
    return;
  }
  const { count } = log;
  void log.save(bundle?.name ?? "rnnedge").then((name) => set("recorded", text("saved", { count: count.toLocaleString(), name })));
  record();
});
const file = $<HTMLInputElement>("file");
$("pick").addEventListener("click", () => file.click());
file.addEventListener("change", () => {
  const [picked] = file.files ?? [];
  if (picked) void load(fromFile(picked));
  file.value = ""; // the same file can be picked again
});
$("address").addEventListener("submit", (event) => {
  event.preventDefault();
  void load(fromAddress($<HTMLInputElement>("url").value.trim()));
});
document.addEventListener("visibilitychange", () => {
  if (document.hidden && camera.open) {
    resume = true;
    stop();
  } else if (!document.hidden && resume) {
    resume = false;
    void start(camera.last);
  }
});

setInterval(() => {
  if (document.hidden || state !== "live2") return;
  seen.show();
  figures.show(performance.now(), frames.sent, frames.dropped);
  if (log.on) record();
}, SHOW_MS);
setInterval(() => {
  if (state === "live2") seen.mark(performance.now() / 1000);
}, MARK_MS);

speak(preferred());
const lacks = missing();
if (lacks.length) {
  set("old", text("oldBrowser", { what: lacks.join(", ") }));
  $("old").classList.add("sure");
} else {
  $("old").remove();
  document.querySelector("main")!.hidden = false;
  words();
  performance.mark("interactive");
  if (window.isSecureContext) {
    void own();
    void choices();
    void keepOffline();
  } else {
    // Neither the camera nor what checks a bundle's digests is there.
    enter("failed");
    tell(text("insecure"));
  }
}
