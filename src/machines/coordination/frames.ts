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
  /^([0-9][0-9.]{0,30}) (get|set|barrier|abort|say|drop) (-|[A-Za-z0-9_.:*][A-Za-z0-9_.:*-]{0,199}) (-|[0-9.]{1,9}[smhd]?) (-|[nirj]{1,8}) (-|[0-9]{1,4}) ([0-9]{1,8})$/;
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
  /** What was not parsed yet, without the value of a request that has begun. */
  #text: Buffer = Buffer.alloc(0);
  /** The request whose value is to come. One buffer takes the value, in whatever pieces it comes. */
  #begun: { readonly header: Header; readonly value: Buffer; length: number } | null = null;

  constructor(nonce: string) {
    this.#mark = Buffer.from(`\n${relayMark(nonce)}`);
  }

  push(chunk: Buffer): void {
    const rest = this.#fill(chunk);
    if (rest.length > 0) this.#text = this.#text.length === 0 ? rest : Buffer.concat([this.#text, rest]);
  }

  /** Returns null until the next frame is complete. @throws MalformedFrameError */
  next(): Frame | null {
    if (!this.#marked) return this.#findMark();
    if (this.#begun === null) this.#begin();
    const begun = this.#begun;
    if (begun === null || begun.length < begun.value.length) return null;
    this.#begun = null;
    return frameOf(begun.header, begun.value);
  }

  #findMark(): Frame | null {
    const at = this.#text.indexOf(this.#mark);
    const end = at < 0 ? -1 : this.#text.indexOf(10, at + 1);
    if (at >= 0 && (end < 0 ? this.#text.length : end) - at > LONGEST_MARK)
      throw new MalformedFrameError("the relay's first line is too long");
    if (end < 0) {
      this.#text = this.#text.subarray(at < 0 ? Math.max(0, this.#text.length - LONGEST_MARK) : at);
      return null;
    }
    const word = this.#text.toString("latin1", at + this.#mark.length, end);
    this.#text = this.#text.subarray(end + 1);
    this.#marked = true;
    return { kind: word === "ready" ? "ready" : "none" };
  }

  /** Reads the header of the next request, if it is there. */
  #begin(): void {
    const text = this.#text;
    const end = text.indexOf(10);
    if (end > LONGEST_LINE || (end < 0 && text.length > LONGEST_LINE))
      throw new MalformedFrameError("a request is too long");
    if (end < 0) return;
    const header = LINE.exec(text.toString("latin1", 0, end));
    if (header === null) throw new MalformedFrameError("a line is not a request");
    if (Number(header[7]) > MESSAGE_LIMIT)
      throw new MalformedFrameError(`a request has ${String(header[7])} bytes; the limit is ${MESSAGE_LIMIT} bytes`);
    this.#begun = { header, value: Buffer.alloc(Number(header[7])), length: 0 };
    this.#text = this.#fill(text.subarray(end + 1));
  }

  /** Fills the value of the request that has begun. @returns what is left. */
  #fill(chunk: Buffer): Buffer {
    const begun = this.#begun;
    if (begun === null) return chunk;
    const taken = chunk.copy(begun.value, begun.length);
    begun.length += taken;
    return chunk.subarray(taken);
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
      ...(flags.includes("j") ? { json: true } : {}),
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
