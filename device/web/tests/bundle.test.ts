/** Bundles that are not what they say: each is refused with a message, whatever was changed. */
import { expect, test } from "vitest";
import { Bundle } from "../src/engine/bundle";
import { BundleError } from "../src/engine/errors";
import { MAX_BYTES } from "../src/protocol";
import { missing, uint8s, vectors } from "./vectors";

const given = test.skipIf(missing);
const signed = vectors("signed")[0];
const plain = (): Uint8Array<ArrayBuffer> => uint8s(signed.plain).slice();

interface Entry {
  name: string;
  data: Uint8Array;
  size?: number;
  flags?: number;
  method?: number;
}

/** The members of a good bundle. */
function members(bytes: Uint8Array): Entry[] {
  const view = new DataView(bytes.buffer), found: Entry[] = [];
  for (let at = 0; view.getUint32(at, true) === 0x04034b50; ) {
    const size = view.getUint32(at + 18, true), name = view.getUint16(at + 26, true);
    const begin = at + 30 + name + view.getUint16(at + 28, true);
    const data = bytes.slice(begin, begin + size);
    found.push({ name: new TextDecoder().decode(bytes.subarray(at + 30, at + 30 + name)), data });
    at = begin + size;
  }
  return found;
}

/** A stored ZIP that says of its members what it is told to. */
function zip(entries: Entry[]): ArrayBuffer {
  const parts: Uint8Array[] = [], directory: Uint8Array[] = [];
  let offset = 0;
  for (const { name, data, size = data.length, flags = 0, method = 0 } of entries) {
    const text = new TextEncoder().encode(name), local = new Uint8Array(30 + text.length), entry = new Uint8Array(46 + text.length);
    const head = new DataView(local.buffer), line = new DataView(entry.buffer);
    head.setUint32(0, 0x04034b50, true);
    head.setUint16(26, text.length, true);
    local.set(text, 30);
    line.setUint32(0, 0x02014b50, true);
    [[8, flags], [10, method], [28, text.length]].forEach(([at, value]) => line.setUint16(at, value, true));
    [[16, crc(data)], [20, size], [24, size], [42, offset]].forEach(([at, value]) => line.setUint32(at, value, true));
    entry.set(text, 46);
    parts.push(local, data);
    directory.push(entry);
    offset += local.length + data.length;
  }
  const end = new Uint8Array(22), last = new DataView(end.buffer), length = directory.reduce((sum, one) => sum + one.length, 0);
  last.setUint32(0, 0x06054b50, true);
  [8, 10].forEach((at) => last.setUint16(at, entries.length, true));
  last.setUint32(12, length, true);
  last.setUint32(16, offset, true);
  const all = new Uint8Array(offset + length + 22);
  let at = 0;
  for (const part of [...parts, ...directory, end]) {
    all.set(part, at);
    at += part.length;
  }
  return all.buffer;
}

function crc(data: Uint8Array): number {
  let sum = ~0;
  for (const byte of data) {
    sum ^= byte;
    for (let bit = 0; bit < 8; bit++) sum = (sum >>> 1) ^ (0xedb88320 & -(sum & 1));
  }
  return ~sum >>> 0;
}

/** The bundle with its manifest changed. */
function changed(change: (manifest: any) => void): ArrayBuffer {
  const entries = members(plain()), manifest = JSON.parse(new TextDecoder().decode(entries[0].data));
  change(manifest);
  entries[0].data = new TextEncoder().encode(JSON.stringify(manifest));
  return zip(entries);
}

const refusal = async (bytes: ArrayBuffer, key?: string): Promise<string> => {
  const problem = await Bundle.read(bytes, key).then(() => null, (reason: unknown) => reason);
  expect(problem).toBeInstanceOf(BundleError);
  return (problem as Error).message;
};

given("a good bundle is read, written anew too", async () => {
  expect((await Bundle.read(plain().buffer)).manifest.task).toBe("classify");
  expect((await Bundle.read(zip(members(plain())))).members.size).toBeGreaterThan(1);
});

given("a changed byte anywhere in a member is noticed", async () => {
  const good = plain(), view = new DataView(good.buffer), end = view.getUint32(good.length - 6, true);
  let refused = 0;
  for (let at = 30; at < end; at += 997) {
    const bytes = good.slice();
    bytes[at] ^= 0x10;
    await Bundle.read(bytes.buffer).catch((problem: unknown) => {
      expect(problem).toBeInstanceOf(BundleError);
      refused++;
    });
  }
  // All but what falls on a local header, which nobody reads.
  expect(refused).toBeGreaterThanOrEqual(Math.floor((end - 30) / 997) - 1);
});

given("a bundle that is cut short is refused wherever it is cut", async () => {
  const good = plain();
  for (let length = 0; length < good.length; length += 1009) await refusal(good.slice(0, length).buffer);
});

given("false sizes, names and kinds are refused before anything is read", async () => {
  const entries = members(plain());
  const spoiled = (change: Partial<Entry>): ArrayBuffer => zip(entries.map((one, at) => (at ? one : { ...one, ...change })));
  expect(await refusal(spoiled({ size: 200_000_000 }))).toContain("its declared size 200000000 is false");
  expect(await refusal(spoiled({ size: 0xfffffff0 }))).toContain("is false");
  expect(await refusal(spoiled({ name: "../manifest.json" }))).toContain("without folders");
  expect(await refusal(spoiled({ method: 8 }))).toContain("neither compressed nor encrypted");
  expect(await refusal(spoiled({ flags: 1 }))).toContain("neither compressed nor encrypted");
  expect(await refusal(zip([...entries, entries[1]]))).toContain("there twice");
  expect(await refusal(zip([...entries, { name: "more", data: new Uint8Array(3) }]))).toContain("not listed");
  expect(await refusal(zip(entries.slice(1)))).toContain("manifest.json is missing");
  expect(await refusal(zip(entries.slice(0, 2)))).toContain("which is not a member");
  expect(await refusal(zip(Array.from({ length: 65 }, (_, at) => ({ name: `m${at}`, data: new Uint8Array(1) }))))).toContain("at most 64");
  expect(await refusal(new ArrayBuffer(MAX_BYTES + 1))).toContain("at most");
});

given("a manifest that contradicts itself or the members is refused", async () => {
  const cases: [change: (manifest: any) => void, message: string][] = [
    [(m) => (m.format_version = 2), "made by a newer rnnedge"],
    [(m) => (m.surprise = 1), 'unknown key "surprise"'],
    [(m) => (m.labels = m.labels.slice(1)), "labels"],
    [(m) => (m.task = "clips"), "bundle has step, sequence"],
    [(m) => delete m.forms, "the key 'forms' is missing"],
    [(m) => (m.forms[0].inputs[0].shape = [1, 90000, 90000, 1]), "values: at most"],
    [(m) => (m.preprocess.size = [50000, 50000]), "pixels"],
    [(m) => (m.preprocess.scale = "1"), "must be a number"],
    [(m) => (m.forms[0].file = "other.tflite"), "is not a member"],
    [(m) => (m.files["model.tflite"].size += 1), "declares"],
    [(m) => (m.files["model.tflite"].sha256 = "0".repeat(64)), "the SHA-256 differs"],
    [(m) => (m.files["manifest.json"] = m.files["model.tflite"]), "which is not a member"],
  ];
  for (const [change, message] of cases) expect(await refusal(changed(change))).toContain(message);
  const entries = members(plain());
  entries[0].data = new TextEncoder().encode('{"format_version": NaN}');
  expect(await refusal(zip(entries))).toContain("not JSON");
  for (const twice of ['{"a": {"b": 1}, "c": "}{\\"a\\":", "\\u0061": 2}', '{"x": [{"a": 1, "a": 1}]}']) {
    entries[0].data = new TextEncoder().encode(twice);
    expect(await refusal(zip(entries))).toContain("a key is there twice");
  }
});

given("a signature is checked against the key that is trusted", async () => {
  const bytes = uint8s(signed.signed).slice(), other = "00".repeat(32);
  expect((await Bundle.read(bytes.slice().buffer)).signedBy).toBe(signed.id);
  expect((await Bundle.read(bytes.slice().buffer, signed.key)).signedBy).toBe(signed.id);
  expect((await Bundle.read(plain().buffer)).signedBy).toBe("");
  expect(await refusal(plain().buffer, signed.key)).toContain("not signed");
  expect(await refusal(bytes.slice().buffer, other)).toContain("another key");
  const entries = members(bytes), at = entries.findIndex((one) => one.name === "manifest.sig");
  entries[at].data[40] ^= 1;
  expect(await refusal(zip(entries), signed.key)).toContain("forged");
  expect((await Bundle.read(zip(entries))).signedBy).toBe("");
});
