/** Downloads files of a machine over one channel, as a stream with back pressure. */
import { randomBytes } from "node:crypto";
import pTimeout from "p-timeout";
import { BootlevelError, guardOf } from "../../errors/bootlevelError.js";
import { ConnectionError, ConnectionLostError, type Channel, type MachineConnection } from "../contract/connection.js";
import { failure } from "../shell/scriptFailures.js";
import { chunksOf } from "./chunks.js";
import { FetchNotes, type FetchNote } from "./fetchNotes.js";
import { fetchDismissal, fetchScript, type FetchRequest, type PathBase } from "./fetchScript.js";
import { Segments } from "./segments.js";
import { TarDamage, type TarHeader } from "./tarHeader.js";
import { readTar } from "./tarReader.js";
import { openShell } from "../shell/openShell.js";

export interface FetchOptions {
  /**
   * Receives one archive member. What it does not read of `content` is passed over. It must throw what reading `content`
   * throws. Any other error from it ends the fetch.
   */
  readonly onMember: (origin: PathBase, header: TarHeader, content: AsyncIterable<Buffer>) => Promise<void>;
  /** Receives why one of the machine's archives could not be read to its end: files of it are missing. */
  readonly onDamage?: (reason: string) => void;
  /** The maximum number of bytes that the machine may send. Default: no limit. */
  readonly limitBytes?: number;
  /** Aborted on a timeout or when the files are no longer needed. */
  readonly signal: AbortSignal;
}

/** The machine sent more than the launcher takes. */
export class FetchLimitError extends BootlevelError {
  override readonly name = "FetchLimitError";
  static override readonly code: string = "FETCH_LIMIT";
}

export const isFetchLimitError = guardOf(FetchLimitError);

export interface Fetched {
  /** What the machine left out, and why. */
  readonly notes: readonly FetchNote[];
  /** Tells the machine to remove the step's directory. @returns the problem, or null. */
  dismiss(): Promise<string | null>;
}

/** Time limit for removing a directory, in milliseconds. */
const DISMISS_MS = 15_000;
/** The maximum number of archives of one fetch: one for each match of a pattern. */
const MOST_SEGMENTS = 100_000;

/**
 * Fetches the requested files, each of them once. Unreadable files are noted and skipped.
 * @throws ConnectionLostError when the connection breaks; ConnectionError when `signal` aborts; StagingError when the
 *   machine cannot send files (no tar, no sudo); FetchLimitError; and the errors of `onMember`.
 */
export async function fetchFiles(
  connection: MachineConnection,
  request: FetchRequest,
  options: FetchOptions,
): Promise<Fetched> {
  options.signal.throwIfAborted();
  const nonce = randomBytes(12).toString("hex");
  const script = fetchScript({ workDirectory: connection.workDirectory, nonce }, request);
  const channel = await openShell(connection, script, { signal: options.signal }).catch((error: unknown) => {
    throw options.signal.aborted ? cancelled(connection.label, options.signal) : error;
  });
  const notes = new FetchNotes(nonce);
  channel.stderr.on("data", (chunk: Buffer) => {
    notes.push(chunk);
  });
  channel.stdin.on("error", () => undefined); // the channel's end gives the reason
  channel.stdin.write(script);
  const broken = interruptionOf(channel, connection.label, options.signal);
  try {
    const whole = await broken.before(receive(channel, nonce, broken, options));
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
async function receive(channel: Channel, nonce: string, broken: Interruption, options: FetchOptions): Promise<boolean> {
  const chunks = chunksOf(channel.stdout);
  const meter = new Meter({ next: () => broken.before(chunks.next()) }, options.limitBytes ?? Infinity);
  const segments = new Segments(meter, nonce);
  try {
    for (let word = await segments.next(); word !== null; word = await segments.next()) {
      if (word === "end") return true;
      if (!isPathBase(word)) return false;
      meter.segment();
      await readSegment(segments, word, options);
    }
    return false;
  } finally {
    chunks.stop();
  }
}

/** Counts what a machine sends, and ends the fetch at the limit. */
class Meter implements AsyncIterator<Buffer, undefined> {
  #bytes = 0;
  #segments = 0;

  constructor(
    private readonly source: AsyncIterator<Buffer, undefined>,
    private readonly limitBytes: number,
  ) {}

  async next(): Promise<IteratorResult<Buffer, undefined>> {
    const read = await this.source.next();
    this.#bytes += read.value?.length ?? 0;
    if (this.#bytes > this.limitBytes)
      throw new FetchLimitError(`the machine sent more than ${Math.round(this.limitBytes / 1_048_576)} MiB`);
    return read;
  }

  segment(): void {
    this.#segments += 1;
    if (this.#segments > MOST_SEGMENTS)
      throw new FetchLimitError(`the patterns match more than ${MOST_SEGMENTS} files`);
  }
}

/**
 * Reads one archive of the machine's tar. A damaged archive loses its remaining members; the next one starts at its own
 * mark.
 */
async function readSegment(segments: Segments, origin: PathBase, options: FetchOptions): Promise<void> {
  try {
    for await (const { header, content } of readTar(segments.content()))
      await options.onMember(origin, header, content);
  } catch (error) {
    if (!(error instanceof TarDamage)) throw error;
    options.onDamage?.(error.message);
  }
}

function isPathBase(word: string): word is PathBase {
  return word === "report" || word === "relative" || word === "absolute";
}

interface Interruption {
  /** Resolves as `work` does, unless the channel breaks or the signal aborts first. */
  before<T>(work: Promise<T>): Promise<T>;
  forget(): void;
}

function interruptionOf(channel: Channel, label: string, signal: AbortSignal): Interruption {
  const broken = new AbortController();
  const onAbort = (): void => {
    broken.abort(cancelled(label, signal));
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

function cancelled(label: string, signal: AbortSignal): ConnectionError {
  const why = signal.reason instanceof Error ? signal.reason.message : "no longer needed";
  return new ConnectionError(`${label}: cancelled: ${why}`);
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
