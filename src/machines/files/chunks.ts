/** Reads a stream's chunks on demand. Chunks that nobody asked for stay at the sender. */
import type { Readable } from "node:stream";

export interface Chunks extends AsyncIterator<Buffer, undefined> {
  /** Stops reading: further data is dropped so that the stream can end. */
  stop(): void;
}

/** Unlike a stream's own iterator, this one never destroys the stream; others can read it afterwards. */
export function chunksOf(stream: Readable): Chunks {
  const queue: Buffer[] = [];
  let ended = false;
  let stopped = false;
  let wake: () => void = () => undefined;
  stream.on("data", (chunk: Buffer) => {
    if (stopped) return;
    queue.push(chunk);
    stream.pause();
    wake();
  });
  const end = (): void => {
    ended = true;
    wake();
  };
  for (const event of ["end", "close", "error"]) stream.on(event, end);
  stream.pause();
  return {
    async next() {
      while (queue.length === 0 && !ended) {
        const woken = new Promise<void>((resolve) => {
          wake = resolve;
        });
        stream.resume();
        await woken;
      }
      const value = queue.shift();
      return value === undefined ? { done: true, value: undefined } : { done: false, value };
    },
    stop() {
      stopped = true;
      stream.resume();
    },
  };
}
