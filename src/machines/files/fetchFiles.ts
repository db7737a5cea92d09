/** Downloads files of a machine over one channel, as a stream with back pressure. */
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
import { openShell } from "../shell/openShell.js";

export interface FetchOptions {
  /**
   * Receives one archive member. It must read `content` to its end, or throw what that throws. Any other error from it
   * ends the fetch.
   */
  readonly onMember: (origin: PathBase, header: Header, content: AsyncIterable<Buffer>) => Promise<void>;
  /** Aborted on a timeout or when the files are no longer needed. */
  readonly signal: AbortSignal;
}

export interface Fetched {
  /** What the machine left out, and why. */
  readonly notes: readonly FetchNote[];
  /** Tells the machine to remove the step's directory. @returns the problem, or null. */
  dismiss(): Promise<string | null>;
}

/** Time limit for removing a directory, in milliseconds. */
const DISMISS_MS = 15_000;

/**
 * Fetches the requested files, each of them once. Unreadable files are noted and skipped.
 * @throws ConnectionLostError when the connection breaks; ConnectionError when `signal` aborts; StagingError when the
 *   machine cannot send files (no tar, no sudo); and the errors of `onMember`.
 */
export async function fetchFiles(
  connection: MachineConnection,
  request: FetchRequest,
  options: FetchOptions,
): Promise<Fetched> {
  options.signal.throwIfAborted();
  const nonce = randomBytes(12).toString("hex");
  const script = fetchScript({ workDirectory: connection.workDirectory, nonce }, request);
  const channel = await openShell(connection, script, { signal: options.signal });
  const notes = new FetchNotes(nonce);
  channel.stderr.on("data", (chunk: Buffer) => {
    notes.push(chunk);
  });
  channel.stdin.on("error", () => undefined); // the channel's end gives the reason
  channel.stdin.write(script);
  const broken = interruptionOf(channel, connection.label, options.signal);
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

/** @returns whether everything has arrived. */
async function receive(
  channel: Channel,
  nonce: string,
  broken: Interruption,
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
 * Reads one archive of the machine's tar. A truncated archive loses its remaining members; the next one starts at its
 * own mark.
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
    // tar's own messages say what a damaged archive lacks.
    if (!isDamage(error)) throw error;
  }
  const cause = await pumped;
  if (cause !== null) throw cause;
}

/** Reads the segment to its end even if its archive fails: the next segment must not be parsed as part of it. */
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

interface Interruption {
  /** Resolves as `work` does, unless the channel breaks or the signal aborts first. */
  before<T>(work: Promise<T>): Promise<T>;
  forget(): void;
}

function interruptionOf(channel: Channel, label: string, signal: AbortSignal): Interruption {
  const broken = new AbortController();
  const onAbort = (): void => {
    const why = signal.reason instanceof Error ? signal.reason.message : "no longer needed";
    broken.abort(new ConnectionError(`${label}: cancelled: ${why}`));
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
