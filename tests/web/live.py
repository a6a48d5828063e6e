"""A page that runs live in a browser: started, its log recorded, the frames that it sent kept for the Python runner."""

import base64
import json
from pathlib import Path
from typing import Any

import numpy as np
from chromium import click, shown, text, wait_for

from rnnedge_device.answers import Answers, Model, open_stream
from rnnedge_device.bundle import read_bundle
from rnnedge_device.caption_writer import CaptionWriter
from rnnedge_device.captioner import Captioner
from rnnedge_device.classify import Classifier
from rnnedge_device.clips import ClipModel
from rnnedge_device.source import Frame

# Before the page's own script: keeps a copy of the pixels of each frame on its way to the worker.
WATCH = """
window.sent = [];
const post = Worker.prototype.postMessage, canvas = new OffscreenCanvas(1, 1);
const end = ({ data }) => { if (data.kind === "finished") window.finished = true; };
Worker.prototype.postMessage = function (message, ...rest) {
  if (message.kind === "load") this.addEventListener("message", end);
  if (message.kind === "frame" && window.sent.length < 600) {
    const { bitmap } = message;
    canvas.width = bitmap.displayWidth ?? bitmap.width; canvas.height = bitmap.displayHeight ?? bitmap.height;
    const context = canvas.getContext("2d", { willReadFrequently: true, alpha: false });
    context.drawImage(bitmap, 0, 0);
    const { data } = context.getImageData(0, 0, canvas.width, canvas.height);
    window.sent.push({ ts_ms: message.ts_ms, rows: canvas.height, columns: canvas.width, data });
  }
  return post.call(this, message, ...rest);
};
"""
TAKE = """
const { ts_ms, rows, columns, data } = window.sent[arguments[0]];
let text = "";
for (let at = 0; at < data.length; at += 8192) text += String.fromCharCode(...data.subarray(at, at + 8192));
return [ts_ms, rows, columns, btoa(text)];
"""
# Each word of Latin letters that the page shows, or has as a name for those who hear it.
WORDS = """
const found = [], walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
while (walker.nextNode()) if (walker.currentNode.parentElement.checkVisibility()) found.push(walker.currentNode.data);
for (const one of document.querySelectorAll("[aria-label], [title], [placeholder]")) {
  if (one.checkVisibility()) found.push(one.ariaLabel ?? "", one.title ?? "", one.placeholder ?? "");
}
return found.join(" ").match(/[A-Za-z]{2}[\\w.+-]*/g) ?? [];
"""
# Names, the same in every language: the other language's, the runtime's, forms'.
NAMES = {"English", "LiteRT.js", "unrolled", "step", "encode", "decode"}


def english_left(driver: Any, data: set[str]) -> set[str]:
    """Words of a page in Chinese that are neither its bundle's `data` nor names."""
    assert driver.execute_script("return document.documentElement.lang") == "zh-CN"
    return {word.rstrip(".") for word in driver.execute_script(WORDS)} - NAMES - data


def watch_frames(driver: Any) -> None:
    """From the next page on."""
    driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": WATCH})


def open_page(driver: Any, url: str, state: str = "Ready") -> None:
    driver.get(url)
    wait_for(
        lambda: text(driver, "state") == state, f"{state}: {text(driver, 'state')} {text(driver, 'notice')}"
    )


def run_live(driver: Any, frames: int) -> None:
    """Start the camera; wait until the engine has answered that many frames."""
    click(driver, "start")
    wait_for(lambda: text(driver, "state") == "Running", "the camera")
    wait_for(lambda: driver.execute_script("return window.sent.length") >= frames, f"{frames} frames")
    assert text(driver, "label") not in ("", "–")
    assert not shown(driver, "notice")


def end_live(driver: Any) -> None:
    """Stop the camera; every frame that was sent is answered then."""
    click(driver, "start")  # which says Stop now
    wait_for(lambda: text(driver, "state") == "Stopped", "the end")
    wait_for(lambda: driver.execute_script("return window.finished"), "the last answers")


def recorded(driver: Any, folder: Path) -> list[dict[str, Any]]:
    """The log that the page saves: press the button, stop the camera before."""
    driver.execute_cdp_cmd("Browser.setDownloadBehavior", {"behavior": "allow", "downloadPath": str(folder)})
    click(driver, "record")
    (path,) = wait_for(lambda: [path for path in folder.glob("*.jsonl")], "the log")
    wait_for(lambda: "Saved" in text(driver, "recorded"), "the log's name")
    return [json.loads(line) for line in path.read_text().splitlines()]


def sent_frames(driver: Any) -> list[Frame]:
    """What the page sent to its engine: BGR frames and their times."""
    found = []
    for index in range(driver.execute_script("return window.sent.length")):
        ts_ms, rows, columns, data = driver.execute_script(TAKE, index)
        pixels = np.frombuffer(base64.b64decode(data), np.uint8).reshape(rows, columns, 4)
        found.append(Frame(np.ascontiguousarray(pixels[..., 2::-1]), index, ts_ms))
    return found


class _Camera:
    live, timed, stopped = False, True, False


def runner_lines(bundle: Path, frames: list[Frame]) -> list[dict[str, Any]]:
    """The lines that `rnnedge-run` writes about these frames."""
    loaded = read_bundle(bundle)
    model: Model
    if loaded.manifest.task == "classify":
        model = Classifier(loaded)
    else:
        model = ClipModel(loaded) if loaded.manifest.task == "clips" else Captioner(loaded)
    writer = CaptionWriter(model) if isinstance(model, Captioner) else None
    answers = Answers("camera", open_stream(_Camera(), "camera", model, writer), model.manifest.task)  # type: ignore[arg-type]
    messages = [message for frame in frames for message in answers.feed(frame)[1]] + answers.finish()[1]
    return [message.line for message in messages if message.line]
