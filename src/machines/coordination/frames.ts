/** The relay protocol: parses requests, which are untrusted, and formats replies. */
import { BootlevelError } from "../../errors/bootlevelError.js";
import { relayMark } from "./relayScript.js";
import { MESSAGE_LIMIT, type BlReply, type BlRequest } from "./blRequest.js";

/** The machine sent something that is not a request. */
export class MalformedFrameError extends BootlevelError {
  override readonly name = "MalformedFrameError";
  static override readonly code: string = "MALFORMED_FRAME";
}

export type Frame =
  | { readonly kind: "ready" }
  /** No program on the machine uses `bl`. */
  | { readonly kind: "none" }
  | {
      readonly kind: "request";
      readonly id: string;
      readonly request: BlRequest;
      /** Whether it was sent before. */
      readonly again: boolean;
    }
  /** The sender of the request has gone. */
  | { readonly kind: "drop"; readonly id: string };

const LINE =
  /^([0-9][0-9.]{0,30}) (get|set|barrier|abort|say|drop) (-|[A-Za-z0-9_.:*][A-Za-z0-9_.:*-]{0,199}) (-|[0-9.]{1,9}[smhd]?) (-|[nir]{1,8}) (-|[0-9]{1,4}) ([0-9]{1,8})$/;
const LONGEST_LINE = 512;
/** A login shell may print a greeting before the mark. Only this many trailing bytes of it are kept. */
const LONGEST_MARK = 256;
const UNITS: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };
const LONGEST_MESSAGE = 1000;

type Header = RegExpExecArray;

/** Finds requests in the data. Parses no further than the next request. */
export class FrameReader {
  readonly #mark: Buffer;
  #marked = false;
  #chunks: Buffer[] = [];
  #length = 0;
  #header: Header | null = null;

  constructor(nonce: string) {
    this.#mark = Buffer.from(`\n${relayMark(nonce)}`);
  }

  push(chunk: Buffer): void {
    this.#chunks.push(chunk);
    this.#length += chunk.length;
  }

  /** Returns null until the next frame is complete. @throws MalformedFrameError */
  next(): Frame | null {
    if (!this.#marked) return this.#findMark();
    this.#header ??= this.#readHeader();
    if (this.#header === null) return null;
    const size = Number(this.#header[7]);
    if (this.#length < size) return null;
    const frame = frameOf(this.#header, Buffer.from(this.#take(size)));
    this.#header = null;
    return frame;
  }

  #findMark(): Frame | null {
    const text = this.#join();
    const at = text.indexOf(this.#mark);
    const end = at < 0 ? -1 : text.indexOf(10, at + 1);
    if (end < 0) {
      this.#take(at < 0 ? Math.max(0, text.length - LONGEST_MARK) : at);
      return null;
    }
    const word = text.toString("latin1", at + this.#mark.length, end);
    this.#take(end + 1);
    this.#marked = true;
    return { kind: word === "ready" ? "ready" : "none" };
  }

  #readHeader(): Header | null {
    const text = this.#join();
    const end = text.indexOf(10);
    if (end > LONGEST_LINE || (end < 0 && text.length > LONGEST_LINE))
      throw new MalformedFrameError("a request is too long");
    if (end < 0) return null;
    const header = LINE.exec(text.toString("latin1", 0, end));
    if (header === null) throw new MalformedFrameError("a line is not a request");
    if (Number(header[7]) > MESSAGE_LIMIT)
      throw new MalformedFrameError(`a request has ${String(header[7])} bytes; the limit is ${MESSAGE_LIMIT} bytes`);
    this.#take(end + 1);
    return header;
  }

  #join(): Buffer {
    const [first = Buffer.alloc(0)] = this.#chunks;
    if (this.#chunks.length < 2) return first;
    const whole = Buffer.concat(this.#chunks);
    this.#chunks = [whole];
    return whole;
  }

  #take(bytes: number): Buffer {
    const whole = this.#join();
    this.#length -= bytes;
    this.#chunks = this.#length === 0 ? [] : [whole.subarray(bytes)];
    return whole.subarray(0, bytes);
  }
}

/** @throws MalformedFrameError if the name is missing or not allowed. */
function frameOf([, id = "", verb = "", name = "", time = "", flags = "", parties = ""]: Header, value: Buffer): Frame {
  if (verb === "drop") return { kind: "drop", id };
  const named = verb === "get" || verb === "set" || verb === "barrier";
  if (named !== (name !== "-"))
    throw new MalformedFrameError("a request lacks a name, or has one that it must not have");
  return {
    kind: "request",
    id,
    again: flags.includes("r"),
    request: {
      verb: verb as BlRequest["verb"],
      name: named ? name : "",
      value,
      timeoutMs: milliseconds(time),
      wait: !flags.includes("n"),
      ignoreAbort: flags.includes("i"),
      parties: parties === "-" ? null : Number(parties),
    },
  };
}

function milliseconds(time: string): number | null {
  if (time === "-") return null;
  const amount = Number(time.replace(/[smhd]$/, ""));
  if (Number.isNaN(amount)) throw new MalformedFrameError("the time limit of a request is not a number");
  return amount === 0 ? null : Math.ceil(amount * (UNITS[time.slice(-1)] ?? 1000));
}

/** Formats a reply's line. The reply's value, if any, follows it. */
export function replyLine(id: string, reply: BlReply): string {
  // Replace control characters by blanks: they would end the line or move a terminal's cursor. Cut by code points, so
  // that no surrogate pair is split.
  const message = (reply.message ?? "").replace(/\p{Cc}+/gu, " ").trim();
  return `${id} ${reply.code} ${reply.value?.length ?? "-"} ${[...message.slice(0, 4 * LONGEST_MESSAGE)].slice(0, LONGEST_MESSAGE).join("")}\n`;
}
