/**
 * What the engine and its worker say about a problem: each sentence in English, where it is thrown, and here in Chinese.
 *
 * A sentence that is not in this table does not compile. Names and values go into its `{gaps}`; a gap may be another
 * sentence. The places in a manifest (`manifest.json: forms[0]`) are data, the same in every language.
 */
export const CHINESE = {
  // The archive.
  "damaged or not a bundle": "已损坏，或不是模型包",
  "damaged or not a bundle: its directory": "已损坏，或不是模型包：目录有误",
  "damaged or not a bundle: member '{name}'": "已损坏，或不是模型包：成员“{name}”有误",
  "damaged or not a bundle: member '{name}' is cut short": "已损坏，或不是模型包：成员“{name}”不完整",
  "damaged or not a bundle: not a ZIP file, or cut short": "已损坏，或不是模型包：不是 ZIP 文件，或不完整",
  "{size} bytes: at most {most}": "{size} 字节：最多 {most}",
  "{count} members: at most {most}": "{count} 个成员：最多 {most}",
  "member {name}: must be a plain file name, without folders": "成员 {name}：必须是不带文件夹的文件名",
  "member '{name}': there twice": "成员“{name}”重复",
  "member '{name}': must be stored, neither compressed nor encrypted": "成员“{name}”：不得压缩或加密",
  "member '{name}': its declared size {size} is false": "成员“{name}”：声明的大小 {size} 不实",
  "member '{name}': not listed in {manifest}": "成员“{name}”：未列入 {manifest}",
  "member '{name}': {size} bytes where {manifest} declares {declared}":
    "成员“{name}”：有 {size} 字节，而 {manifest} 声明 {declared}",
  "{name}: the SHA-256 differs from the manifest's: the file was changed or damaged":
    "{name}：SHA-256 与清单不符：文件被改动或已损坏",
  "{name} is missing": "缺少 {name}",
  "{name}: {size} bytes: at most {most}": "{name}：{size} 字节：最多 {most}",
  "{name}: {size} bytes: must be {must}": "{name}：{size} 字节：必须是 {must}",
  // The signature.
  "key: must be 64 hexadecimal digits": "公钥：必须是 64 位十六进制数",
  "not signed: must be signed with the key that this app trusts": "没有签名：必须由本应用信任的密钥签名",
  "signed with another key than the one that this app trusts": "签名密钥不是本应用信任的密钥",
  "this browser cannot check Ed25519 signatures: update it": "此浏览器无法验证 Ed25519 签名：请更新",
  "{name}: changed after it was signed, or the signature is forged": "{name}：签名后被改动，或签名系伪造",
  // The manifest, read key by key.
  "{name}: not JSON: {detail}": "{name}：不是 JSON：{detail}",
  "{name}: a key is there twice": "{name}：有重复的键",
  "{where}: files lists {name}, which is not a member": "{where}：files 列出的 {name} 不是成员",
  "{where}: {value} is not an object": "{where}：{value} 不是对象",
  "{where}: {key} = {value}: {must}": "{where}：{key} = {value}：{must}",
  "{where}: the key '{key}' is missing": "{where}：缺少键“{key}”",
  "{where}: unknown key {key} = {value}; allowed: {known}": "{where}：未知的键 {key} = {value}；允许：{known}",
  "must be a text": "必须是文本",
  "must be one of {allowed}": "必须是其中之一：{allowed}",
  "must be a whole number": "必须是整数",
  "must be a number": "必须是数字",
  "must be a number other than zero": "必须是不为零的数字",
  "must be above zero": "必须大于零",
  "must be {least} or more": "必须不小于 {least}",
  "must be from {least} to {most}": "必须在 {least} 与 {most} 之间",
  "must be true or false": "必须是 true 或 false",
  "must be an object": "必须是对象",
  "must be a list of objects": "必须是对象列表",
  "must be a list of texts": "必须是文本列表",
  "must be a list of numbers": "必须是数字列表",
  "must be a list of whole numbers above zero": "必须是大于零的整数列表",
  "must be operators with whole numbers above zero": "必须是算子及其大于零的整数",
  // What the manifest says, taken together.
  "{where}: made by a newer rnnedge (format {version}; this one reads up to {most}): update the app":
    "{where}：由更新版本的 rnnedge 制作（格式 {version}，本应用支持到 {most}）：请更新应用",
  "form '{name}': this bundle has {forms}": "形式“{name}”：此模型包有 {forms}",
  "{where}: {labels} labels, {forms} forms: at least one, captions have no labels":
    "{where}：{labels} 个标签、{forms} 个形式：至少一个，图像描述没有标签",
  "{where}: forms: each name once": "{where}：forms：名称不得重复",
  "{where}: clip is there for task clips, caption for task captions, and only there":
    "{where}：clip 仅用于任务 clips，caption 仅用于任务 captions",
  "{where}: preprocess: foreground: is for task clips, of a camera that does not move: no scene_cut":
    "{where}：preprocess：foreground：仅用于固定摄像头的任务 clips，不得有 scene_cut",
  "{where}: clip: background = {value}: must be empty or one of the labels":
    "{where}：clip：background = {value}：必须为空或是标签之一",
  "{where}: form {form}: its file {file} is not a member": "{where}：形式 {form}：其文件 {file} 不是成员",
  "{where}: form {form}: size_bytes = {declared}: {file} has {size}":
    "{where}：形式 {form}：size_bytes = {declared}：{file} 有 {size}",
  "{where}: output: a caption model gives logits": "{where}：output：图像描述模型输出 logits",
  "{where}: vocabulary = {name}: is not a member": "{where}：vocabulary = {name}：不是成员",
  "{where}: forms encode and decode: must be two signatures of one file":
    "{where}：encode 与 decode：必须是同一文件的两个签名",
  "{where}: forms encode and decode: what the one gives and the other takes must be the same":
    "{where}：encode 与 decode：前者的输出与后者的输入必须相同",
  "{where}: grid = {grid}, attention {attention}: must fit": "{where}：grid = {grid}，attention {attention}：必须相符",
  "{where}: off = {off}: must be at most on = {on}": "{where}：off = {off}：不得大于 on = {on}",
  "a frame would be held for more than {most} steps": "一帧会被保持 {most} 步以上",
  // Tensors and forms.
  "above zero for int8, 0 for float32 and int32": "int8 必须大于零，float32 和 int32 必须为 0",
  "{size} values: at most {most}": "{size} 个值：最多 {most}",
  "{where}: scan: {step} {numbers} does not fit the shape {shape}": "{where}：scan：{step} {numbers} 与形状 {shape} 不符",
  "{where}: scan = {value}: must be [\"transpose\", axes] or [\"reshape\", shape]":
    "{where}：scan = {value}：必须是 [\"transpose\", axes] 或 [\"reshape\", shape]",
  "{where}: {side} '{name}' is missing": "{where}：缺少 {side}“{name}”",
  "{where}: a {task} bundle has {forms}": "{where}：任务 {task} 的模型包有 {forms}",
  "{where}: {name}: dtype {dtype}: int32 is for token, only": "{where}：{name}：dtype {dtype}：int32 仅用于 token",
  "{where}: state {input}: {output} must be tied to it": "{where}：状态 {input}：{output} 必须与之相同",
  "{where}: {side} {names}: must be {known}, each once": "{where}：{side} {names}：必须是 {known}，不得重复",
  "{where}: y has shape {shape} for {classes} labels: must be [1, {classes}]":
    "{where}：y 的形状 {shape} 对应 {classes} 个标签：必须是 [1, {classes}]",
  "{where}: x {x} and {states} states do not fit the image": "{where}：x {x} 与 {states} 个状态不符合图像",
  "{where}: x {x}, y {y} do not fit the frame and the labels": "{where}：x {x}、y {y} 不符合帧与标签",
  "{where}: a clip model has at least one state and no scan": "{where}：视频片段模型至少有一个状态，且没有 scan",
  "{where}: decode has at least one state, encode none, and neither has a scan":
    "{where}：decode 至少有一个状态，encode 没有，两者都没有 scan",
  "{where}: x {x}: must be {must}": "{where}：x {x}：必须是 {must}",
  "{where}: token {token}, y {y}: must be [1] and [1, K]": "{where}：token {token}、y {y}：必须是 [1] 和 [1, K]",
  // Preprocessing and words.
  "must be [height, width], of at most {most} pixels": "必须是 [高, 宽]，最多 {most} 像素",
  "must be empty, one number, or one for each of the {channels} channels":
    "必须为空、一个数字，或 {channels} 个通道各一个",
  "is for gray": "仅用于 gray",
  "{where}: foreground: color must be gray and invert false": "{where}：foreground：color 必须是 gray，invert 必须是 false",
  "the frame is empty": "帧为空",
  "{where}: scale = {value}: overflows": "{where}：scale = {value}：溢出",
  "must be [rows, columns]": "必须是 [行, 列]",
  "{name}: must be UTF-8": "{name}：必须是 UTF-8",
  "{name}: must begin with {marks}": "{name}：必须以 {marks} 开头",
  "{name}: must have a word a line, without whitespace, each once": "{name}：必须每行一个词，不含空白，不得重复",
  "vocabulary of {words} words: the model's y has {size}": "词汇表有 {words} 个词：模型的 y 有 {size}",
  // The model and its runtime.
  "form fused, only: a browser has no fused LSTM; export with --form unrolled":
    "只有形式 fused：浏览器没有 fused LSTM；请用 --form unrolled 导出",
  "{runtime} cannot load the model: {detail}": "{runtime} 无法载入模型：{detail}",
  "form {form}: {side} {declared} in the manifest, {found} in the model":
    "形式 {form}：{side} 在清单中为 {declared}，在模型中为 {found}",
  "signature '{name}': the model has {keys}": "签名“{name}”：模型有 {keys}",
  "input {name}: {size} bytes: must be {must}": "输入 {name}：{size} 字节：必须是 {must}",
  "the model gives NaN: its weights are damaged": "模型输出 NaN：其权重已损坏",
  "the model failed: {detail}": "模型运行失败：{detail}",
  "the runtime cannot start: {detail}. It needs a browser with WebAssembly SIMD":
    "运行库无法启动：{detail}。需要支持 WebAssembly SIMD 的浏览器",
  "this browser gives a worker no canvas: update it": "此浏览器的后台线程没有画布：请更新",
} as const;

/** A sentence, in English. */
export type Problem = keyof typeof CHINESE;

/** A sentence with what goes into its gaps: it can be posted, and be said in either language. */
export interface Said {
  readonly problem: Problem;
  readonly gaps: Readonly<Record<string, string | number | Said>>;
}

type Gap<T extends string> = T extends `${string}{${infer Name}}${infer Rest}` ? Name | Gap<Rest> : never;

/** What a sentence needs besides itself: each of its gaps, and nothing else. */
export type Gaps<T extends string, Value = string | number | Said> = [Gap<T>] extends [never] ? [] : [gaps: Record<Gap<T>, Value>];

export function said<T extends Problem>(problem: T, ...[gaps]: Gaps<T>): Said {
  return { problem, gaps: gaps ?? {} };
}

/** A sentence in a language, its gaps filled. */
export function sentence({ problem, gaps }: Said, chinese = false): string {
  const text: string = chinese ? CHINESE[problem] : problem;
  return text.replace(/\{(\w+)\}/g, (_, name: string) => {
    const gap = gaps[name];
    return typeof gap === "object" ? sentence(gap, chinese) : String(gap);
  });
}
