/** Every text of the page, in English and Chinese. */

const en = {
  language: "中文",
  live: "Live picture", start: "Start", stop: "Stop", turn: "Switch camera", reset: "Reset state", camera: "Camera",
  front: "front", back: "back", now: "Now", running: "Events that go on", history: "Score over time", nowAxis: "now",
  shares: "Labels by their share of that time", figures: "Figures", fps: "Frames/s", inference: "Inference",
  delay: "Picture to answer", dropped: "Dropped", events: "Events", nothing: "Nothing yet.", record: "Record the log",
  save: "Stop and save the log", recording: "Recording: {count} lines", saved: "Saved {count} lines as {name}",
  full: "The log is full ({count} lines): save it.", bundle: "Bundle", pick: "Load a bundle from this device",
  url: "or from this site, by its address", load: "Load", stays: "Pictures stay on this device.",
  loading: "Loading …", ready: "Ready", live2: "Running", stopped: "Stopped", failed: "Problem", none: "No bundle",
  pressStart: "Press Start to look through the camera.", chooseBundle: "Load a bundle to begin.",
  opening: "Opening the camera …", seconds: "{n} s ago", minutes: "{n} min ago", of: "of {n}", begun: "start", ended: "end",
  after: "{label} after {s} s", readout: "{time} ago: {label}, {score} %",
  chart: "Score of the last {span}: from {low} to {high} %, now {now} % for {label}",
  spanSeconds: "{n} seconds", spanMinutes: "{n} minutes",
  name: "Name", task: "Task", form: "Form", runtime: "Runtime", input: "Model frame", signed: "Signed by", rate: "Steps/s",
  images: "images", clips: "clips", captions: "captions", unsigned: "nobody", reason: "reset: {reason}",
  fresh: "A newer version of this page is here.", renew: "Use it",
  insecure: "The camera needs a secure address (https, or localhost). Open this page by its https address.",
  oldBrowser: "This browser is too old for this page. Missing: {what}.",
  refused: "The camera was refused. Allow it for this page in the browser's settings, then press Start.",
  refusedApp: "The camera was refused. Allow it for this app in the phone's settings, then press Start.",
  noCamera: "This device has no camera that the browser can use.",
  busy: "The camera is in use by another app, or does not answer. Close the other app, then press Start.",
  lost: "The camera was taken away. Press Start to try again.", cameraProblem: "The camera cannot be opened: {detail}",
  foreign: "Not loaded: {url} is at another origin. A bundle comes from this site, or from a file on this device.",
  badAddress: "Not loaded: {url} is no address.", missing: "Not loaded: {url}: {detail}",
  tooLarge: "Not loaded: {size} MB are more than the {limit} MB that a bundle may have.",
  engineGone: "The part that runs the model stopped: {detail}. Load the bundle again.",
  loadsForever: "Not loaded: the model did not begin within {seconds} seconds.",
};

export type TextKey = keyof typeof en;

const zh: Record<TextKey, string> = {
  language: "English",
  live: "实时画面", start: "开始", stop: "停止", turn: "切换镜头", reset: "重置状态", camera: "摄像头",
  front: "前置", back: "后置", now: "当前", running: "进行中的事件", history: "得分变化", nowAxis: "现在",
  shares: "各标签所占时间", figures: "运行数据", fps: "帧/秒", inference: "推理耗时",
  delay: "画面到结果", dropped: "丢弃帧", events: "事件", nothing: "暂无。", record: "记录日志",
  save: "停止并保存日志", recording: "正在记录：{count} 行", saved: "已保存 {count} 行：{name}",
  full: "日志已满（{count} 行），请保存。", bundle: "模型包", pick: "从本设备载入模型包",
  url: "或输入本站内的地址", load: "载入", stays: "画面不会离开本设备。",
  loading: "正在载入…", ready: "就绪", live2: "运行中", stopped: "已停止", failed: "出错", none: "无模型包",
  pressStart: "点按“开始”打开摄像头。", chooseBundle: "请先载入模型包。",
  opening: "正在打开摄像头…", seconds: "{n} 秒前", minutes: "{n} 分钟前", of: "共 {n}", begun: "开始", ended: "结束",
  after: "{label}，持续 {s} 秒", readout: "{time} 前：{label}，{score} %",
  chart: "最近{span}的得分：{low} 至 {high} %，现在 {label} {now} %",
  spanSeconds: " {n} 秒", spanMinutes: " {n} 分钟",
  name: "名称", task: "任务", form: "形式", runtime: "运行库", input: "模型输入", signed: "签名者", rate: "步/秒",
  images: "图像", clips: "视频片段", captions: "图像描述", unsigned: "无", reason: "重置：{reason}",
  fresh: "本页面有新版本。", renew: "使用新版本",
  insecure: "摄像头需要安全地址（https 或 localhost）。请用 https 地址打开本页面。",
  oldBrowser: "浏览器版本过旧，缺少：{what}。",
  refused: "摄像头权限被拒绝。请在浏览器设置中允许本页面使用摄像头，然后点按“开始”。",
  refusedApp: "摄像头权限被拒绝。请在手机设置中允许本应用使用摄像头，然后点按“开始”。",
  noCamera: "没有可用的摄像头。",
  busy: "摄像头正被其他应用占用或没有响应。请关闭该应用，然后点按“开始”。",
  lost: "摄像头已断开。点按“开始”重试。", cameraProblem: "无法打开摄像头：{detail}",
  foreign: "未载入：{url} 不属于本站。模型包只能来自本站或本设备上的文件。",
  badAddress: "未载入：{url} 不是有效地址。", missing: "未载入：{url}：{detail}",
  tooLarge: "未载入：{size} MB 超过模型包上限 {limit} MB。",
  engineGone: "模型运行部分已停止：{detail}。请重新载入模型包。",
  loadsForever: "未载入：模型在 {seconds} 秒内未能启动。",
};

const LANGUAGES = { en, zh };
export type Language = keyof typeof LANGUAGES;

let current: Language = "en";

/** The language in use. */
export function language(): Language {
  return current;
}

/** A text with its `{gaps}` filled. */
export function text(key: TextKey, gaps: Record<string, string | number> = {}): string {
  return LANGUAGES[current][key].replace(/\{(\w+)\}/g, (whole, gap: string) => (gap in gaps ? String(gaps[gap]) : whole));
}

/** Set the language, and every element's text (`data-text`) and name (`data-label`). */
export function speak(chosen: Language): void {
  current = chosen;
  document.documentElement.lang = chosen === "zh" ? "zh-CN" : "en";
  for (const element of document.querySelectorAll<HTMLElement>("[data-text]")) {
    element.textContent = text(element.dataset.text as TextKey);
  }
  for (const element of document.querySelectorAll<HTMLElement>("[data-label]")) {
    element.setAttribute("aria-label", text(element.dataset.label as TextKey));
  }
}

/** What was chosen here before, or what the browser speaks. */
export function preferred(): Language {
  const kept = memory()?.getItem("language");
  if (kept === "en" || kept === "zh") return kept;
  const first = navigator.languages.find((name) => /^(en|zh)\b/.test(name));
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
