/** Frames of a video on their way to the engine: one at a time, and always the newest. */

const PATIENCE_MS = 10_000;

/** A frame as it leaves. */
export interface Frame {
  id: number;
  picture: ImageBitmap | VideoFrame;
  tsMs: number;
}

/** Takes each frame that the video presents while the engine is free; those it has no time for are counted. */
export class Frames {
  sent = 0;
  dropped = 0;
  private readonly video: HTMLVideoElement;
  private readonly send: (frame: Frame) => void;
  private handle = 0;
  private on = false;
  private busy: number | null = null; // the frame that the engine has
  private since = 0;
  private waiting: number | null = null; // the time of a newer one that is on the screen
  private presented = 0;
  private next = 0;
  private last = 0;

  constructor(video: HTMLVideoElement, send: (frame: Frame) => void) {
    this.video = video;
    this.send = send;
  }

  start(): void {
    if (this.on) return;
    this.on = true;
    this.presented = 0;
    this.busy = this.waiting = null;
    this.listen();
  }

  stop(): void {
    this.on = false;
    this.video.cancelVideoFrameCallback(this.handle);
  }

  /** The engine has done with a frame. */
  done(id: number): void {
    if (id !== this.busy) return;
    this.busy = null;
    if (this.waiting !== null && this.on) {
      const time = this.waiting;
      this.waiting = null;
      void this.take(time);
    }
  }

  private listen(): void {
    this.handle = this.video.requestVideoFrameCallback((now, metadata) => {
      if (!this.on) return;
      this.listen();
      // Frames that went by while the page itself was busy were presented all the same.
      if (this.presented) this.dropped += Math.max(0, metadata.presentedFrames - this.presented - 1);
      this.presented = metadata.presentedFrames;
      const time = metadata.captureTime ?? now;
      if (this.busy !== null && performance.now() - this.since < PATIENCE_MS) {
        if (this.waiting !== null) this.dropped++;
        this.waiting = time;
        return;
      }
      void this.take(time);
    });
  }

  private async take(time: number): Promise<void> {
    const id = this.next++;
    this.busy = id;
    this.since = performance.now();
    try {
      const picture = await this.picture(time);
      if (!this.on) return picture.close();
      this.last = Math.max(this.last, time);
      this.sent++;
      this.send({ id, picture, tsMs: this.last });
    } catch {
      // A video that has just ended has no picture.
      this.busy = null;
    }
  }

  // A VideoFrame costs no copy; not every browser has it.
  private async picture(time: number): Promise<ImageBitmap | VideoFrame> {
    if (typeof VideoFrame === "function") return new VideoFrame(this.video, { timestamp: Math.round(time * 1000) });
    return await createImageBitmap(this.video);
  }
}
