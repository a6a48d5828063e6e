/** The device's cameras: which there are, one of them opened, and why not in words. */

import { type Words, words } from "./language";

export type Facing = "environment" | "user";

/** Does the page run inside the app? */
export const inApp = (): boolean => "rnnedgeApp" in window;

/** One camera at a time, shown in a video element. */
export class Camera {
  /** The camera that is open, else the last one asked for. */
  facing: Facing = "environment";
  /** The device id of the camera that was open last. */
  last: string | undefined;
  private stream: MediaStream | null = null;
  private turn = 0;
  private readonly video: HTMLVideoElement;
  private readonly lost: () => void;

  /** `lost` is called when the camera is taken away while it is open. */
  constructor(video: HTMLVideoElement, lost: () => void) {
    this.video = video;
    this.lost = lost;
  }

  get open(): boolean {
    return this.stream !== null;
  }

  /** The device id of the open camera. */
  get id(): string | undefined {
    return this.stream?.getVideoTracks()[0]?.getSettings().deviceId;
  }

  /** Open a camera by its id, or the one that looks where `facing` says; false where `stop` came in between. */
  async start(id?: string): Promise<boolean> {
    this.stop();
    const turn = ++this.turn;
    if (!navigator.mediaDevices) throw new DOMException("no secure address", "SecurityError");
    const which = id ? { deviceId: { exact: id } } : { facingMode: { ideal: this.facing } };
    const stream = await navigator.mediaDevices.getUserMedia({
      audio: false,
      video: { ...which, width: { ideal: 640 }, height: { ideal: 480 }, frameRate: { ideal: 30 } },
    });
    if (turn !== this.turn) {
      for (const track of stream.getTracks()) track.stop();
      return false;
    }
    this.stream = stream;
    this.last = this.id;
    const track = stream.getVideoTracks()[0]!;
    const facing = track.getSettings().facingMode;
    if (facing === "user" || facing === "environment") this.facing = facing;
    track.addEventListener("ended", () => {
      if (this.stream === stream) {
        this.stop();
        this.lost();
      }
    });
    this.video.srcObject = stream;
    await this.video.play();
    return turn === this.turn;
  }

  stop(): void {
    this.turn++;
    for (const track of this.stream?.getTracks() ?? []) track.stop();
    this.stream = null;
    this.video.srcObject = null;
  }

  /** The cameras there are; names come only after one was allowed. */
  async list(): Promise<MediaDeviceInfo[]> {
    const all = (await navigator.mediaDevices?.enumerateDevices()) ?? [];
    return all.filter((device) => device.kind === "videoinput");
  }
}

/** What the person can do about a camera that does not open. */
export function reason(problem: unknown): Words {
  const { name, message } = problem as DOMException;
  switch (name) {
    case "SecurityError":
      return words("insecure");
    case "NotAllowedError":
      return words(inApp() ? "refusedApp" : "refused");
    case "NotFoundError":
    case "OverconstrainedError":
      return words("noCamera");
    case "NotReadableError":
    case "AbortError":
      return words("busy");
    default:
      return words("cameraProblem", { detail: message || String(problem) });
  }
}
