/** The page's elements by their names, and texts set as text, never as markup. */

import { say, type Words } from "./language";

/** The element with this id. */
export function $<E extends Element = HTMLElement>(id: string): E {
  const found = document.getElementById(id);
  if (!found) throw new Error(`no element ${id}`);
  return found as unknown as E;
}

/** A new element with words of the page, or with data: a label, a name, a figure. */
export function make(tag: string, content: Words | string, className = ""): HTMLElement {
  const made = document.createElement(tag);
  if (typeof content === "string") made.textContent = content;
  else say(made, content);
  if (className) made.className = className;
  return made;
}

/** Show data in an element, only where it differs: what did not change is not drawn nor read out again. */
export function set(id: string, data: string): void {
  const element = $(id);
  if (element.textContent !== data) element.textContent = data;
}
