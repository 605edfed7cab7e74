// Tells a caller how far an operation is, not more often than is worth looking at.
import type { OperationOptions, Progress } from "../api.ts";

const INTERVAL_MS = 100;

export class ProgressMeter {
  private readonly listener: OperationOptions["onProgress"];
  private readonly state: Progress;
  private readonly writtenBytes: () => number;
  private toldAt = 0;

  constructor(
    listener: OperationOptions["onProgress"],
    totalBytes: number | undefined,
    writtenBytes: () => number = () => 0,
  ) {
    this.listener = listener;
    this.writtenBytes = writtenBytes;
    this.state = { image: "", doneBytes: 0, totalBytes, writtenBytes: 0 };
  }

  advance(image: string, bytes: number): void {
    this.state.image = image;
    this.state.doneBytes += bytes;
    if (!this.listener) return;
    const now = performance.now();
    if (now - this.toldAt < INTERVAL_MS) return;
    this.toldAt = now;
    this.tell();
  }

  /** The last word. */
  finish(): void {
    if (this.state.totalBytes !== undefined) this.state.doneBytes = this.state.totalBytes;
    this.tell();
  }

  private tell(): void {
    this.listener?.({ ...this.state, writtenBytes: this.writtenBytes() });
  }
}
