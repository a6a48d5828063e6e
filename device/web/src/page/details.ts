/** What the loaded bundle says about itself. */

import { $, make, set } from "./elements";
import type { Loaded } from "./engine";
import { type Words, words } from "./language";
import type { TextKey } from "./texts";

export function details(bundle: Loaded): void {
  set("name", bundle.name);
  document.title = `${bundle.name} · rnnedge`;
  const rows: [TextKey, Words | string | undefined][] = [
    ["name", bundle.name], ["task", words(bundle.task)], ["input", bundle.input.join(" × ")], ["form", bundle.form],
    ["runtime", bundle.runtime], ["rate", bundle.rate?.toString()], ["signed", bundle.signed_by ?? words("unsigned")],
  ];
  const known = rows.filter((row): row is [TextKey, Words | string] => row[1] !== undefined);
  $("details").replaceChildren(...known.flatMap(([key, value]) => [make("dt", { key, gaps: {} }), make("dd", value)]));
}
