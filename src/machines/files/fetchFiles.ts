/** Brings files of a machine home over one channel, as they come, and as slowly as they are taken. */
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import pTimeout from "p-timeout";
import { extract, type Extract, type Header } from "tar-stream";
import { ConnectionError, ConnectionLostError, type Channel, type MachineConnection } from "../contract/connection.js";
import { failure } from "../shell/scriptFailures.js";
import { chunksOf } from "./chunks.js";
import { FetchNotes, type FetchNote } from "./fetchNotes.js";
import { fetchDismissal, fetchScript, type FetchRequest, type PathBase } from "./fetchScript.js";
import { Segments } from "./segments.js";
import { channelCommand } from "../shell/channelScript.js";

export interface FetchOptions {
  /**
   * Takes one member of what a machine sends; must read `content` to its end, or throw what that throws. Anything else
   * that it throws ends the fetch.
   */
  readonly onMember: (origin: PathBase, header: Header, content: AsyncIterable<Buffer>) => Promise<void>;
  /** Aborted when it takes too long, or is not wanted any more. */
  readonly signal: AbortSignal;
}

export interface Fetched {
  /** What the machine left out, and why. */
  readonly notes: readonly FetchNote[];
  /** Lets the machine remove the step's directory. @returns what went wrong, or null. */
  dismiss(): Promise<string | null>;
}

/** Milliseconds that a machine has to remove a directory. */
const DISMISS_MS = 15_000;

/**
 * Fetches what a request names, each file once it is there. What cannot be read is noted and left out.
 * @throws ConnectionLostError when the connection breaks, ConnectionError when `signal` aborts, StagingError when the
 *   machine cannot send files (no tar, no sudo), and what `onMember` throws.
 */
export async function fetchFiles(
  connection: MachineConnection,
  request: FetchRequest,
  options: FetchOptions,
): Promise<Fetched> {
  options.signal.throwIfAborted();
  const nonce = randomBytes(12).toString("hex");
  const script = fetchScript({ workDirectory: connection.workDirectory, nonce }, request);
  const channel = await connection.open(channelCommand(script));
  const notes = new FetchNotes(nonce);
  channel.stderr.on("data", (chunk: Buffer) => {
    notes.push(chunk);
  });
  channel.stdin.on("error", () => undefined); // why it ended is told by the channel's end
  channel.stdin.write(script);
  const broken = breakOf(channel, connection.label, options.signal);
  try {
    const whole = await broken.before(receive(channel, nonce, broken, options.onMember));
    const verdict = await broken.before(Promise.race([notes.verdict, channel.ended.then(() => null)]));
    if (verdict === null || verdict.kind !== "done" || !whole)
      throw failure(connection.label, verdict?.why ?? "fetch", notes.words);
    return { notes: notes.list(), dismiss: () => dismiss(channel, nonce, notes) };
  } catch (error) {
    channel.close();
    throw error;
  } finally {
    broken.forget();
  }
}

/** @returns whether all came that was to come. */
async function receive(
  channel: Channel,
  nonce: string,
  broken: Break,
  onMember: FetchOptions["onMember"],
): Promise<boolean> {
  const chunks = chunksOf(channel.stdout);
  const segments = new Segments({ next: () => broken.before(chunks.next()) }, nonce);
  try {
    for (let word = await segments.next(); word !== null; word = await segments.next()) {
      if (word === "end") return true;
      await readSegment(segments, word as PathBase, onMember);
    }
    return false;
  } finally {
    chunks.stop();
  }
}

/**
 * One archive of the machine's tar. One that breaks off costs what was to come in it; the next one begins at its own
 * mark.
 */
async function readSegment(segments: Segments, origin: PathBase, onMember: FetchOptions["onMember"]): Promise<void> {
  const unpacking = extract();
  const members = unpacking[Symbol.asyncIterator]();
  const pumped = pump(segments, unpacking).then(
    () => null,
    (error: unknown) => error as Error,
  );
  try {
    for (let member = await members.next(); member.done !== true; member = await members.next())
      await onMember(origin, member.value.header, member.value as AsyncIterable<Buffer>);
  } catch (error) {
    unpacking.destroy(error as Error);
    // What a broken archive lacks is known by tar's own words.
    if (!isDamage(error)) throw error;
  }
  const cause = await pumped;
  if (cause !== null) throw cause;
}

/**
 * Reads the segment to its end, whatever becomes of the archive in it: what follows must not be taken for a part of it.
 */
async function pump(segments: Segments, unpacking: Extract): Promise<void> {
  const closed = new Promise<void>((resolve) => {
    unpacking.once("close", () => {
      resolve();
    });
  });
  try {
    for await (const chunk of segments.content()) {
      if (!unpacking.destroyed && !unpacking.write(chunk))
        await Promise.race([once(unpacking, "drain").catch(() => undefined), closed]);
    }
    if (!unpacking.destroyed) unpacking.end(null);
  } catch (error) {
    unpacking.destroy(error as Error);
    throw error;
  }
}

function isDamage(error: unknown): boolean {
  return (
    error instanceof Error &&
    /^(Unexpected end of data|Invalid tar header|Invalid header|Header exceeds max size)/.test(error.message)
  );
}

interface Break {
  /** `work`, unless the channel breaks or the signal aborts before it is done. */
  before<T>(work: Promise<T>): Promise<T>;
  forget(): void;
}

function breakOf(channel: Channel, label: string, signal: AbortSignal): Break {
  const broken = new AbortController();
  const onAbort = (): void => {
    const why = signal.reason instanceof Error ? signal.reason.message : "not wanted any more";
    broken.abort(new ConnectionError(`${label}: given up: ${why}`));
  };
  signal.addEventListener("abort", onAbort, { once: true });
  if (signal.aborted) onAbort();
  void channel.ended.then((end) => {
    if (end.kind === "lost") broken.abort(new ConnectionLostError(`${label}: ${end.reason}`));
  });
  return {
    // No race against promises that last as long as the fetch: they would keep every chunk that won.
    before: (work) => pTimeout(work, { milliseconds: Infinity, signal: broken.signal }),
    forget: () => {
      signal.removeEventListener("abort", onAbort);
    },
  };
}

async function dismiss(channel: Channel, nonce: string, notes: FetchNotes): Promise<string | null> {
  channel.stdin.end(`${fetchDismissal(nonce)}\n`);
  const ended = channel.ended.then((end) =>
    end.kind === "lost" ? end.reason : end.code === 0 ? null : notes.words || `exit code ${String(end.code)}`,
  );
  return pTimeout(ended, {
    milliseconds: DISMISS_MS,
    fallback: () => `no answer within ${DISMISS_MS / 1000} s`,
  }).finally(() => {
    channel.close();
  });
}
