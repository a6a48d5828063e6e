/** Where a bundle's bytes come from: this site, or a file that the person picked. Nothing from other origins. */

import { MAX_BYTES } from "../protocol";
import { spoken, type Words, words } from "./language";

const MIB = 2 ** 20;

/** Why a bundle was not even given to the engine; the message is for the person. */
export class NotLoaded extends Error {
  constructor(readonly words: Words) {
    super(spoken(words));
  }
}

/** The address of the site's own bundle; null where it has none. */
export async function ownAddress(): Promise<string | null> {
  const asked = new URLSearchParams(location.search).get("bundle");
  if (asked !== null) return asked;
  try {
    const answer = await fetch("site.json");
    if (!answer.ok) return null;
    const facts: unknown = await answer.json();
    const name = (facts as { bundle?: unknown } | null)?.bundle;
    return typeof name === "string" ? name : null;
  } catch {
    return null;
  }
}

/** The bytes at an address of this origin. */
export async function fromAddress(address: string): Promise<ArrayBuffer> {
  let url: URL;
  try {
    url = new URL(address, document.baseURI);
  } catch {
    throw new NotLoaded(words("badAddress", { url: address }));
  }
  if (url.origin !== location.origin) throw new NotLoaded(words("foreign", { url: url.href }));
  let answer: Response;
  try {
    // A redirect could lead to another origin.
    answer = await fetch(url, { redirect: "error", credentials: "same-origin" });
  } catch (problem) {
    throw new NotLoaded(words("missing", { url: url.href, detail: (problem as Error).message }));
  }
  if (!answer.ok) throw new NotLoaded(words("missing", { url: url.href, detail: String(answer.status) }));
  check(Number(answer.headers.get("content-length") ?? 0));
  return await whole(answer);
}

/** The bytes of a picked file. */
export async function fromFile(file: File): Promise<ArrayBuffer> {
  check(file.size);
  return await file.arrayBuffer();
}

// A body may be larger than it said.
async function whole(answer: Response): Promise<ArrayBuffer> {
  const parts: Uint8Array<ArrayBuffer>[] = [];
  let size = 0;
  const reader = answer.body?.getReader();
  for (let part = await reader?.read(); part && !part.done; part = await reader?.read()) {
    size += part.value.length;
    if (size > MAX_BYTES) await reader?.cancel();
    check(size);
    parts.push(part.value);
  }
  return await new Blob(parts).arrayBuffer();
}

function check(size: number): void {
  if (size > MAX_BYTES) throw new NotLoaded(words("tooLarge", { size: Math.ceil(size / MIB), limit: MAX_BYTES / MIB }));
}
