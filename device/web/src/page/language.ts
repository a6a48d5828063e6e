/** The language of the page: what an element says is kept as words of `texts.ts`, and said anew when it changes. */

import { type Gaps, type Said, sentence } from "../problems";
import { en, type TextKey, zh } from "./texts";

const LANGUAGES = { en, zh };
export type Language = keyof typeof LANGUAGES;

/** A text of the page with what goes into its `{gaps}`. */
export interface Words {
  readonly key: TextKey;
  readonly gaps: Readonly<Record<string, Value>>;
}

type Value = string | number | Said | Words;

let current: Language = "en";
const texts = new WeakMap<Element, Words>(), names = new WeakMap<Element, Words>();

/** The language in use. */
export function language(): Language {
  return current;
}

export function words<K extends TextKey>(key: K, ...[gaps]: Gaps<(typeof en)[K], Value>): Words {
  return { key, gaps: gaps ?? {} };
}

/** Words in the language in use. */
export function spoken({ key, gaps }: Words): string {
  return LANGUAGES[current][key].replace(/\{(\w+)\}/g, (_, name: string) => {
    const gap = gaps[name];
    if (typeof gap !== "object") return String(gap);
    return "key" in gap ? spoken(gap) : sentence(gap, current === "zh");
  });
}

/** An element's text; only where it differs: what did not change is not drawn nor read out again. */
export function say(element: Element, said: Words): void {
  texts.set(element, said);
  element.setAttribute("data-text", said.key);
  const text = spoken(said);
  if (element.textContent !== text) element.textContent = text;
}

/** An element's name, for those who hear the page. */
export function name(element: Element, said: Words): void {
  names.set(element, said);
  element.setAttribute("data-label", said.key);
  element.setAttribute("aria-label", spoken(said));
}

/** Set the language, and say everything in it that the page says. */
export function speak(chosen: Language): void {
  current = chosen;
  document.documentElement.lang = chosen === "zh" ? "zh-CN" : "en";
  for (const element of document.querySelectorAll<HTMLElement>("[data-text]")) {
    say(element, texts.get(element) ?? { key: element.dataset.text as TextKey, gaps: {} });
  }
  for (const element of document.querySelectorAll<HTMLElement>("[data-label]")) {
    name(element, names.get(element) ?? { key: element.dataset.label as TextKey, gaps: {} });
  }
}

/** What was chosen here before, or what the browser speaks. */
export function preferred(): Language {
  const kept = memory()?.getItem("language");
  if (kept === "en" || kept === "zh") return kept;
  const first = navigator.languages.find((tag) => /^(en|zh)\b/.test(tag));
  return first?.startsWith("zh") ? "zh" : "en";
}

/** For the next visit. */
export function remember(chosen: Language): void {
  memory()?.setItem("language", chosen);
}

function memory(): Storage | null {
  try {
    return localStorage;
  } catch {
    return null; // a browser that keeps nothing
  }
}
