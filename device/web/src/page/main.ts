/** The page: a camera, the engine, and what both have to say. */

import { stayAwake } from "./awake";
import { fromAddress, fromFile, NotLoaded, ownAddress } from "./bundle";
import { Camera, reason } from "./camera";
import { nextCamera, showChoice } from "./choice";
import { details } from "./details";
import { $ } from "./elements";
import { Engine, type Loaded } from "./engine";
import { EventList } from "./eventlist";
import { Figures } from "./figures";
import { Frames } from "./frames";
import { language, preferred, remember, say, speak, type Words, words } from "./language";
import { Log } from "./log";
import { keepOffline } from "./offline";
import { Seen } from "./seen";
import { show, type State, tell } from "./status";
import { missing } from "./support";

const SHOW_MS = 100, MARK_MS = 500;

const video = $<HTMLVideoElement>("picture");
const seen = new Seen(), list = new EventList(), figures = new Figures(), log = new Log();
const camera = new Camera(video, () => stop(words("lost")));
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
    details(found);
    $("running").hidden = found.task !== "clips";
    enter(camera.open ? "running" : "ready");
    tell(null);
  },
  answer(found) {
    seen.answer(found);
    figures.answer(found.inference_ms, since(found.id));
    note(found.events);
  },
  caption(found) {
    seen.caption(found);
    if (!found.done) return;
    if (found.inference_ms !== undefined) figures.answer(found.inference_ms, since(found.id));
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
    else if (state === "loading") enter(camera.open ? "running" : "ready");
  },
  finished: note,
  gone(detail) {
    bundle = null;
    stop();
    enter("failed");
    tell(words("engineGone", { detail }));
  },
});

const frames = new Frames(video, ({ id, picture, tsMs }) => {
  sentAt.set(id, performance.now());
  engine.frame(id, picture, tsMs);
});

/** Milliseconds since a frame was seen. */
function since(id: number): number {
  const now = performance.now();
  return now - (sentAt.get(id) ?? now);
}

// --- what is said

function enter(next: State): void {
  state = next;
  show(state, bundle !== null, camera.open);
}

function record(): void {
  say($("record"), words(log.on ? "save" : "record"));
  $("record").setAttribute("aria-pressed", String(log.on));
  if (log.on) say($("recorded"), words(log.full ? "full" : "recording", { count: log.count.toLocaleString() }));
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
    tell(problem instanceof NotLoaded ? problem.words : words("unexpected", { detail: String(problem) }));
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
  say($("no-picture"), words("opening"));
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
  enter("running");
  void stayAwake(true);
  await showChoice(camera);
}

function stop(why?: Words): void {
  still();
  camera.stop();
  void stayAwake(false);
  enter("stopped");
  if (why) tell(why);
}

// Another camera is another source: what runs ends, and the next frame begins anew.
function still(): void {
  frames.stop();
  engine.finish();
}

async function turn(): Promise<void> {
  const next = await nextCamera(camera);
  still();
  camera.facing = camera.facing === "user" ? "environment" : "user";
  await start(next);
}

// --- buttons

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
});
$("record").addEventListener("click", () => {
  if (!log.on) {
    log.start();
    record();
    return;
  }
  const { count } = log;
  void log.save(bundle?.name ?? "rnnedge").then((name) => {
    say($("recorded"), words("saved", { count: count.toLocaleString(), name }));
  });
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
  if (document.hidden || state !== "running") return;
  seen.show();
  figures.show(performance.now(), frames.sent, frames.dropped);
  if (log.on) record();
}, SHOW_MS);
setInterval(() => {
  if (state === "running") seen.mark(performance.now() / 1000);
}, MARK_MS);

speak(preferred());
const lacks = missing();
if (lacks.length) {
  say($("old"), words("oldBrowser", { what: lacks.join(", ") }));
  $("old").classList.add("sure");
} else {
  $("old").remove();
  document.querySelector("main")!.hidden = false;
  enter(state);
  record();
  performance.mark("interactive");
  if (window.isSecureContext) {
    void own();
    void showChoice(camera);
    void keepOffline();
  } else {
    // Neither the camera nor what checks a bundle's digests is there.
    enter("failed");
    tell(words("insecure"));
  }
}
