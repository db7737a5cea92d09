/**
 * One relay: a channel for a machine's requests and the replies. Malicious input can harm only the machine that sends
 * it.
 */
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import type { Channel, MachineConnection } from "../contract/connection.js";
import { relayScript } from "./relayScript.js";
import { MESSAGE_LIMIT, type BlHandler, type BlReply, type BlRequest, type Delivery } from "./blRequest.js";
import { replyLine, FrameReader } from "./frames.js";
import { openShell } from "../shell/openShell.js";

/** Limits for unanswered requests, in number and in bytes. At a limit, reading pauses. */
const MOST_REQUESTS = 256;
const MOST_BYTES = 2 * MESSAGE_LIMIT;
/** Time limit in milliseconds for an orderly end. */
const GOODBYE_MS = 2000;

export interface RelayOptions {
  /** The step's directory, relative to the connection's work directory. */
  readonly directory: string;
  readonly how: "take-over" | "anew";
  readonly handler: BlHandler;
  onWarning(message: string): void;
}

/** "none": no program on the machine uses `bl`. "broken": the channel ended or sent malformed data. */
export type RelayEnd = { readonly kind: "none" | "closed" } | { readonly kind: "broken"; readonly reason: string };

/** @throws ConnectionError when no channel can be opened. */
export async function openRelay(connection: MachineConnection, options: RelayOptions): Promise<Relay> {
  const nonce = randomBytes(12).toString("hex");
  const script = relayScript({ directory: `${connection.workDirectory}/${options.directory}`, nonce }, options.how);
  const channel = await openShell(connection, script);
  const relay = new Relay(channel, new FrameReader(nonce), options);
  channel.stdin.write(script);
  return relay;
}

export class Relay {
  readonly ended: Promise<RelayEnd>;
  #end: RelayEnd | null = null;
  /** By id. A withdrawn request counts until its handler has noticed. */
  readonly #waiting = new Map<string, AbortController>();
  /** Aborts when the channel has ended. */
  readonly #broken = new AbortController();
  #requests = 0;
  #bytes = 0;
  #written: Promise<void> = Promise.resolve();

  constructor(
    private readonly channel: Channel,
    private readonly frames: FrameReader,
    private readonly options: RelayOptions,
  ) {
    channel.stdin.on("error", () => undefined); // the channel's end gives the reason
    channel.stdout.on("data", (chunk: Buffer) => {
      this.#hear(chunk);
    });
    channel.stderr.resume();
    this.ended = channel.ended.then((end) => {
      this.#broken.abort();
      const last = this.#finish({
        kind: "broken",
        reason: end.kind === "lost" ? end.reason : `the relay ended with exit code ${String(end.code)}`,
      });
      for (const gone of this.#waiting.values()) gone.abort();
      return last;
    });
  }

  /** Resolves when the machine has closed the channel too, or after GOODBYE_MS. */
  async close(): Promise<void> {
    this.#finish({ kind: "closed" });
    this.channel.stdin.end();
    // Unread output would delay the channel's end.
    this.channel.stdout.resume();
    const timer = setTimeout(() => {
      this.channel.close();
    }, GOODBYE_MS);
    await this.ended;
    clearTimeout(timer);
    this.channel.close();
  }

  #finish(end: RelayEnd): RelayEnd {
    this.#end ??= end;
    return this.#end;
  }

  #hear(chunk: Buffer): void {
    if (this.#end !== null) return;
    this.frames.push(chunk);
    this.#goOn();
  }

  /** Handles the requests that have arrived. Pauses reading at the limit of unanswered ones. */
  #goOn(): void {
    try {
      while (this.#end === null && !this.#isFull) {
        const frame = this.frames.next();
        if (frame === null) break;
        if (frame.kind === "none") this.#stop({ kind: "none" });
        else if (frame.kind === "drop") this.#drop(frame.id);
        else if (frame.kind === "request") void this.#answer(frame, frame.request);
      }
    } catch (error) {
      this.#stop({ kind: "broken", reason: error instanceof Error ? error.message : String(error) });
    }
    if (this.#end === null && this.#isFull) this.channel.stdout.pause();
    else this.channel.stdout.resume();
  }

  get #isFull(): boolean {
    return this.#requests >= MOST_REQUESTS || this.#bytes >= MOST_BYTES;
  }

  #stop(end: RelayEnd): void {
    this.#finish(end);
    this.channel.close();
  }

  #drop(id: string): void {
    this.#waiting.get(id)?.abort();
    this.#waiting.delete(id);
  }

  async #answer({ id, again }: Delivery, request: BlRequest): Promise<void> {
    const earlier = this.#waiting.get(id);
    if (earlier !== undefined && !again) {
      this.#stop({ kind: "broken", reason: "two open requests have the same id" });
      return;
    }
    // Whoever asks again waits for one answer only.
    earlier?.abort();
    const gone = new AbortController();
    this.#waiting.set(id, gone);
    this.#requests += 1;
    this.#bytes += request.value.length;
    const reply = await this.#handle(request, gone.signal, { id, again });
    if (this.#waiting.get(id) === gone) await this.#write(id, reply);
    if (this.#waiting.get(id) === gone) this.#waiting.delete(id);
    this.#requests -= 1;
    this.#bytes -= request.value.length;
    this.#goOn();
  }

  /** Never rejects: to the program, a failing launcher is a missing one. */
  async #handle(request: BlRequest, gone: AbortSignal, delivery: Delivery): Promise<BlReply> {
    try {
      return await this.options.handler(request, gone, delivery);
    } catch (error) {
      this.options.onWarning(
        `bl ${request.verb} ${request.name} could not be answered: ` +
          `${error instanceof Error ? error.message : String(error)}`,
      );
      return { code: 10, message: "the launcher failed to answer" };
    }
  }

  /**
   * Writes replies one by one, each when the machine has taken the one before, so that they are not buffered here a
   * second time.
   */
  #write(id: string, reply: BlReply): Promise<void> {
    this.#written = this.#written.then(async () => {
      const { stdin } = this.channel;
      if (this.#end !== null || !stdin.writable) return;
      stdin.cork();
      stdin.write(replyLine(id, reply));
      if (reply.value !== undefined) stdin.write(reply.value);
      stdin.uncork();
      // On a broken channel nobody waits for the reply.
      if (stdin.writableNeedDrain) await once(stdin, "drain", { signal: this.#broken.signal }).catch(() => undefined);
    });
    return this.#written;
  }
}
