/**
 * The words of a relay: requests as they come from a machine, which may send anything, and answers as it takes them.
 */
import { BootlevelError } from "../../errors/bootlevelError.js";
import { relayMark } from "./relayScript.js";
import { MESSAGE_LIMIT, type BlReply, type BlRequest } from "./blRequest.js";

/** What a machine sent cannot be a request. */
export class MalformedFrameError extends BootlevelError {
  override readonly name = "MalformedTalkError";
  static override readonly code: string = "MALFORMED_FRAME";
}

export type Frame =
  | { readonly kind: "ready" }
  /** Nobody on the machine talks. */
  | { readonly kind: "none" }
  | { readonly kind: "request"; readonly id: string; readonly request: BlRequest }
  /** Whoever asked has gone. */
  | { readonly kind: "drop"; readonly id: string };

const LINE =
  /^([0-9][0-9.]{0,30}) (get|set|barrier|abort|say|drop) (-|[A-Za-z0-9_.:*][A-Za-z0-9_.:*-]{0,199}) (-|[0-9.]{1,9}[smhd]?) (-|[ni]{1,8}) (-|[0-9]{1,4}) ([0-9]{1,8})$/;
const LONGEST_LINE = 512;
/** What a login shell may say before, in bytes, of which only the end is kept. */
const LONGEST_MARK = 256;
const UNITS: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };
const LONGEST_MESSAGE = 1000;

type Header = RegExpExecArray;

/** Finds requests in what comes, without reading on until somebody asks for the next. */
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

  /** Null until the whole of it has come. @throws MalformedTalkError */
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
    if (header === null) throw new MalformedFrameError("a line is no request");
    if (Number(header[7]) > MESSAGE_LIMIT)
      throw new MalformedFrameError(`a request of ${String(header[7])} bytes; ${MESSAGE_LIMIT} are allowed`);
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

/** @throws MalformedTalkError for a request that lacks its name, or has one that it cannot have. */
function frameOf([, id = "", verb = "", name = "", time = "", flags = "", parties = ""]: Header, value: Buffer): Frame {
  if (verb === "drop") return { kind: "drop", id };
  const named = verb === "get" || verb === "set" || verb === "barrier";
  if (named !== (name !== "-")) throw new MalformedFrameError("a request has no name, or one too many");
  return {
    kind: "request",
    id,
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
  if (Number.isNaN(amount)) throw new MalformedFrameError("the time limit of a request is no number");
  return amount === 0 ? null : Math.ceil(amount * (UNITS[time.slice(-1)] ?? 1000));
}

/** An answer's line; its value, if it has one, follows. */
export function replyLine(id: string, reply: BlReply): string {
  // One line: what would end it, or move a terminal's cursor, is a blank. Cut by characters, and a pair's half is no
  // character.
  const message = (reply.message ?? "").replace(/\p{Cc}+/gu, " ").trim();
  return `${id} ${reply.code} ${reply.value?.length ?? "-"} ${[...message.slice(0, 4 * LONGEST_MESSAGE)].slice(0, LONGEST_MESSAGE).join("")}\n`;
}
