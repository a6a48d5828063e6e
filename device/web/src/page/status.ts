/** Where the page stands: the chip beside its name, the notice, and what the buttons can do then. */

import { $ } from "./elements";
import { say, type Words, words } from "./language";

export type State = "loading" | "none" | "ready" | "running" | "stopped" | "failed";

const TONE: Partial<Record<State, string>> = { running: "good", failed: "bad", loading: "warn" };

/** Something the person should know, or nothing. */
export function tell(message: Words | null): void {
  $("notice").hidden = message === null;
  if (message) say($("notice"), message);
}

/** @param loaded is there a bundle? @param open is the camera? */
export function show(state: State, loaded: boolean, open: boolean): void {
  say($("state"), words(state));
  $("state").className = `chip ${TONE[state] ?? ""}`;
  const start = $<HTMLButtonElement>("start");
  start.disabled = !loaded;
  say(start, words(open ? "stop" : "start"));
  start.classList.toggle("main", !open);
  $<HTMLButtonElement>("reset").disabled = !loaded;
  const empty = loaded ? "pressStart" : state === "loading" ? "loading" : "chooseBundle";
  $("no-picture").hidden = open || (state === "failed" && !loaded);
  say($("no-picture"), words(empty));
}
