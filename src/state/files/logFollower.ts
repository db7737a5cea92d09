/** Follows one log while it grows. When its middle is cut out meanwhile, following goes on where it was. */
import { open, type FileHandle } from "node:fs/promises";

import { cannotRead, isMissing } from "./fileErrors.js";
import { findGap, type LogGap } from "./logCut.js";

export class LogFollower {
  /** How far the file was read, in bytes of the file as it was then. */
  private offset = 0;
  /** Identifies the file: numbers of files are used again. */
  private file: string | null = null;
  private gap: LogGap | null = null;

  constructor(private readonly path: string) {}

  /** The text that was added since the last call. @throws FileError */
  async *news(): AsyncGenerator<string> {
    const handle = await this.open();
    if (handle === null) return;
    try {
      const { ino, birthtimeMs, size } = await handle.stat();
      const file = `${ino} ${birthtimeMs}`;
      if (this.file !== null && this.file !== file) this.enter(findGap(handle.fd, size), size);
      this.file = file;
      if (size <= this.offset) return;
      const decoder = new TextDecoder();
      const start = this.offset;
      this.offset = size;
      for await (const chunk of handle.createReadStream({ start, end: size - 1, autoClose: false })) {
        const text = decoder.decode(chunk as Buffer, { stream: true });
        if (text !== "") yield text;
      }
      const rest = decoder.decode();
      if (rest !== "") yield rest;
    } catch (error) {
      throw cannotRead(this.path, error);
    } finally {
      await handle.close();
    }
  }

  private async open(): Promise<FileHandle | null> {
    try {
      return await open(this.path);
    } catch (error) {
      if (isMissing(error)) return null; // it is being renamed
      throw cannotRead(this.path, error);
    }
  }

  /** Moves the offset to the same text of the shorter file; text that is missing there is told by its line. */
  private enter(gap: LogGap | null, size: number): void {
    const printed = positionIn(this.gap, this.offset);
    this.gap = gap;
    if (gap === null) this.offset = Math.min(printed, size);
    else if (printed <= gap.at) this.offset = printed;
    else if (printed >= gap.at + gap.missing) this.offset = printed - gap.missing + gap.length;
    else this.offset = gap.at;
  }
}

/** Where an offset of a file with a gap would be without the gap. */
function positionIn(gap: LogGap | null, offset: number): number {
  return gap === null || offset <= gap.at ? offset : offset - gap.length + gap.missing;
}
