/** The page speaks two languages: what is said in one is said in the other, with the same things in it. */
import { readdirSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { CHINESE, said, sentence } from "../src/problems";
import { en, zh } from "../src/page/texts";

const SRC = new URL("../src/", import.meta.url);
const gaps = (text: string): string[] => [...text.matchAll(/\{(\w+)\}/g)].map(([, name]) => name).sort();
const sources = (folder: string): string => {
  const files = readdirSync(new URL(folder, SRC)).filter((name) => name.endsWith(".ts") && name !== "texts.ts");
  return files.map((name) => readFileSync(new URL(folder + name, SRC), "utf8")).join("\n");
};
const pairs: [string, string][] = [
  ...Object.entries(en).map(([key, text]): [string, string] => [text, zh[key as keyof typeof zh]]),
  ...Object.entries(CHINESE),
];

test("both languages fill the same gaps", () => {
  for (const [english, chinese] of pairs) expect(gaps(chinese), english).toEqual(gaps(english));
});

test("what has words in English has words in Chinese", () => {
  for (const [english, chinese] of pairs) {
    const words = english.replace(/\{\w+\}/g, "").match(/[a-z]{2,}/i);
    // The button that changes the language names the other one.
    if (words && chinese !== "English") expect(chinese, english).toMatch(/\p{Script=Han}/u);
  }
});

test("nothing is translated that nobody says", () => {
  const page = sources("page/") + readFileSync(new URL("../index.html", SRC), "utf8");
  for (const key of Object.keys(en)) {
    // A task's name, as the engine gives it.
    if (!["images", "clips", "captions"].includes(key)) expect(page, key).toContain(`"${key}"`);
  }
  const engine = sources("engine/") + sources("./");
  const code = engine.split("\n").filter((line) => !/^\s+".*":/.test(line)).join("\n");
  for (const problem of Object.keys(CHINESE)) {
    const quoted = [JSON.stringify(problem), `'${problem}'`];
    expect(quoted.some((one) => code.includes(one)), problem).toBe(true);
  }
});

test("a sentence within a sentence is said in the same language", () => {
  const must = said("must be {least} or more", { least: 1 });
  const whole = said("{where}: {key} = {value}: {must}", { where: "manifest.json", key: "a", value: 0, must });
  expect(sentence(whole)).toBe("manifest.json: a = 0: must be 1 or more");
  expect(sentence(whole, true)).toBe("manifest.json：a = 0：必须不小于 1");
});
