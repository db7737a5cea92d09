/** What a port says first: an SSH server's version and offers, or the words of something else. */
import type { Duplex } from "node:stream";

/** Enough for a version line and the list of algorithms. */
const KEPT = 16_384;
/** SSH_MSG_KEXINIT (RFC 4253, 7.1). */
const KEXINIT = 20;
const COOKIE_BYTES = 16;
/** The longest excerpt of a foreign answer, of a server's message and of a name in one, in characters. */
const LONGEST_WORDS = 120;
const LONGEST_MESSAGE = 500;
const LONGEST_NAME = 64;
const MOST_NAMES = 32;

/** The algorithms that a server offers, by what they are for. */
export interface ServerOffers {
  readonly kex: readonly string[];
  readonly hostKey: readonly string[];
  readonly cipher: readonly string[];
  readonly mac: readonly string[];
  readonly compression: readonly string[];
}

/** Keeps the first bytes that a stream brings, beside its other listeners. */
export class FirstBytes {
  #bytes: Buffer = Buffer.alloc(0);
  readonly #listen: (chunk: Buffer) => void;

  /** @param onForeign called once if this is no SSH server: a retry would find the same. */
  constructor(
    private readonly stream: Duplex,
    onForeign: (protocol: string) => void,
  ) {
    let told = false;
    this.#listen = (chunk) => {
      if (this.#bytes.length < KEPT) this.#bytes = Buffer.concat([this.#bytes, chunk]).subarray(0, KEPT);
      const protocol = told ? null : foreignProtocol(this.#bytes);
      if (protocol === null) return;
      told = true;
      onForeign(protocol);
    };
    stream.on("data", this.#listen);
  }

  get bytes(): Buffer {
    return this.#bytes;
  }

  stop(): void {
    this.stream.removeListener("data", this.#listen);
  }
}

/** The protocol of a port that speaks another one than SSH, or null. */
function foreignProtocol(bytes: Buffer): string | null {
  const text = bytes.toString("latin1", 0, 512);
  if (/^HTTP\/\d/.test(text) || /^<(!DOCTYPE|html)/i.test(text)) return "HTTP";
  // A TLS record: alert or handshake, version 3.x.
  if (bytes.length >= 3 && (bytes[0] === 0x15 || bytes[0] === 0x16) && bytes[1] === 3) return "TLS";
  if (/^220[ -][^\n]*smtp/i.test(text)) return "SMTP";
  if (/^220[ -][^\n]*ftp/i.test(text)) return "FTP";
  return null;
}

/** The first words of a port that has not sent an SSH version; null if it has, or has sent nothing. */
export function wordsOf(bytes: Buffer): string | null {
  if (bytes.length === 0 || versionEnd(bytes) !== null) return null;
  const line = bytes.toString("latin1").split(/\r?\n/, 1)[0] ?? "";
  return line.replace(/[^\x20-\x7e]/g, "?").slice(0, LONGEST_WORDS);
}

/** A server's words for a message: printable, in one line, and with a bound. */
export function plainWords(text: string, longest = LONGEST_MESSAGE): string {
  const words = text.replace(/\s+/g, " ").replace(/\p{C}/gu, "?").trim();
  return words.length > longest ? `${words.slice(0, longest)}…` : words;
}

/** Names that a server gave, for a message. */
export function plainList(names: readonly string[]): string {
  const shown = names.slice(0, MOST_NAMES).map((name) => plainWords(name, LONGEST_NAME));
  return [...shown, ...(names.length > MOST_NAMES ? [`… (${names.length})`] : [])].join(", ");
}

/** How far a server has come with its greeting, for people; null if it has sent all of it. */
export function greetingProgress(bytes: Buffer): string | null {
  if (bytes.length === 0) return "the machine sent nothing";
  const words = wordsOf(bytes);
  if (words !== null) return `the machine sent no SSH greeting, but "${words}"`;
  return offersOf(bytes) === null ? "the machine sent its version and nothing more" : null;
}

/** Reads the offers from the server's first packet, which is not encrypted; null if it has not arrived. */
export function offersOf(bytes: Buffer): ServerOffers | null {
  const at = versionEnd(bytes);
  if (at === null || bytes.length < at + 6 || bytes[at + 5] !== KEXINIT) return null;
  let position = at + 6 + COOKIE_BYTES;
  const list = (): string[] => {
    const length = bytes.readUInt32BE(position);
    position += 4 + length;
    return bytes.toString("latin1", position - length, position).split(",");
  };
  try {
    const [kex = [], hostKey = [], cipher = [], , mac = [], , compression = []] = Array.from({ length: 7 }, list);
    return { kex, hostKey, cipher, mac, compression };
  } catch {
    return null; // truncated
  }
}

/** Where the version line ends; lines of other text may precede it. */
function versionEnd(bytes: Buffer): number | null {
  const found = /(^|\n)SSH-[^\n]*\n/.exec(bytes.toString("latin1"));
  return found === null ? null : found.index + found[0].length;
}
