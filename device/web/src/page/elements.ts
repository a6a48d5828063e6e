/** The page's elements by their names, and texts set as text, never as markup. */

/** The element with this id. */
export function $<E extends Element = HTMLElement>(id: string): E {
  const found = document.getElementById(id);
  if (!found) throw new Error(`no element ${id}`);
  return found as unknown as E;
}

/** A new element with a text. */
export function make(name: string, text: string, className = ""): HTMLElement {
  const made = document.createElement(name);
  made.textContent = text;
  if (className) made.className = className;
  return made;
}

/** Change an element's text only where it differs: what did not change is not drawn nor said again. */
export function set(id: string, text: string): void {
  const element = $(id);
  if (element.textContent !== text) element.textContent = text;
}
