/** One SSH handshake and login over a stream to the machine. */
import type { Duplex } from "node:stream";
import type { LimitFunction } from "p-limit";
import ssh2, { type Algorithms, type AnyAuthMethod, type Client } from "ssh2";
import { ConnectionError } from "../contract/connection.js";
import { Authentication } from "./authentication.js";
import { destroyStream } from "./destroyStream.js";
import { closedEarly, explainHandshake, foreignPort, type Attempt } from "./handshakeErrors.js";
import type { HostKeyCheck, Recognition } from "./hostKeyCheck.js";
import type { Identity } from "./identities.js";
import { FirstBytes, greetingProgress } from "./serverGreeting.js";

/** A logged-in client, and how the host key was recognised. */
export interface AuthenticatedClient {
  readonly client: Client;
  /** The stream that the client runs on. Whoever ends the client destroys it. */
  readonly stream: Duplex;
  readonly recognition: Recognition;
  /** Why the client ended the connection after the login: the machine presented another host key. Null if it did not. */
  readonly refusal: () => Error | null;
}

export interface HandshakeOptions {
  /** For messages: `admin@10.0.0.4:22`. */
  readonly label: string;
  readonly user: string;
  readonly identities: readonly Identity[];
  readonly hostKey: HostKeyCheck;
  readonly keepaliveMs: number;
  /** Time limit for handshake and login, in milliseconds. */
  readonly limitMs: number;
  readonly signal: AbortSignal;
  /** Limits the number of concurrent handshakes. */
  readonly limit: LimitFunction;
  onWarning(message: string): void;
}

/**
 * Ordered by security: fast and modern algorithms first, the others for machines that support nothing else. Speed does
 * not matter: with ssh2's native part, a login plus a short command costs the launcher 4 to 5 ms of CPU time with any
 * of them (medians of 40 logins: curve25519 4.9, nistp256 4.3, group14 5.1 ms), and a megabyte 2.2 ms with AES-GCM, 2.3
 * ms with chacha20, 2.8 ms with AES-CTR and its HMAC.
 */
const ALGORITHMS: Algorithms = {
  kex: [
    "curve25519-sha256",
    "curve25519-sha256@libssh.org",
    "ecdh-sha2-nistp256",
    "ecdh-sha2-nistp384",
    "ecdh-sha2-nistp521",
    "diffie-hellman-group-exchange-sha256",
    "diffie-hellman-group16-sha512",
    "diffie-hellman-group14-sha256",
  ],
  // chacha20 comes last: without its native part, ssh2 1.17 encodes it wrongly inside another SSH connection (a jump
  // host).
  cipher: [
    "aes128-gcm@openssh.com",
    "aes256-gcm@openssh.com",
    "aes128-ctr",
    "aes192-ctr",
    "aes256-ctr",
    "chacha20-poly1305@openssh.com",
  ],
  hmac: ["hmac-sha2-256-etm@openssh.com", "hmac-sha2-512-etm@openssh.com", "hmac-sha2-256", "hmac-sha2-512"],
  compress: ["none"],
};

/**
 * Shakes hands and logs in.
 * @throws HostKeyError, AuthenticationError (both final), ConnectionError (retry)
 */
export async function handshake(stream: Duplex, options: HandshakeOptions): Promise<AuthenticatedClient> {
  if (stream.destroyed || stream.readableEnded) {
    destroyStream(stream);
    throw closedEarly(Buffer.alloc(0));
  }
  const client = new ssh2.Client();
  const keys = new HostKeyMemory(options);
  const deadline = new Deadline(options);
  const greeting = new HeldGreeting(stream);
  try {
    const loggedIn = runHandshake(client, stream, options, { deadline, keys });
    await Promise.race([loggedIn, greeting.received]);
    deadline.pause();
    const inTurn = options.limit(() => {
      deadline.start();
      greeting.letThrough();
      return loggedIn;
    });
    await Promise.race([loggedIn, inTurn]);
    return { client, stream, recognition: keys.recognition, refusal: () => keys.refused };
  } catch (error) {
    destroyStream(stream);
    throw error;
  } finally {
    deadline.stop();
  }
}

/** Runs the protocol until the user is logged in. */
function runHandshake(
  client: Client,
  stream: Duplex,
  options: HandshakeOptions,
  { deadline, keys }: { readonly deadline: Deadline; readonly keys: HostKeyMemory },
): Promise<void> {
  const { label, user, identities } = options;
  const auth = new Authentication(user, identities);
  const algorithms: Algorithms = { ...ALGORITHMS, serverHostKey: options.hostKey.algorithms };
  return new Promise<void>((resolve, reject) => {
    client.on("ready", resolve);
    client.on("error", (error) => {
      // ssh2 tries the next key after an agent error.
      if (error.level === "agent") options.onWarning(`${label}: ${error.message}`);
      else reject(keys.refused ?? explainHandshake(error, attempt()));
    });
    client.on("close", () => {
      reject(keys.refused ?? closedEarly(first.bytes));
    });
    deadline.onOver(reject, () => greetingProgress(first.bytes) ?? keys.progress);
    client.connect({
      sock: stream,
      username: user,
      readyTimeout: 0,
      keepaliveInterval: options.keepaliveMs,
      keepaliveCountMax: 3,
      algorithms,
      authHandler: (left, partial, next) => {
        auth.next(left, partial, next as (method: AnyAuthMethod | false) => void);
      },
      hostVerifier: (key: Buffer, verify: (permitted: boolean) => void) => keys.verify(key, verify),
    });
    const first = new FirstBytes(stream, (protocol) => {
      reject(foreignPort(label, protocol, first.bytes));
    });
    const attempt = (): Attempt => ({ label, user, identities, auth, algorithms, bytes: first.bytes });
    client.once("ready", () => {
      first.stop();
    });
    declineHostKeyProofs(client);
  });
}

/**
 * Verifies the host key, and holds the machine to it: in a long session the keys of the connection are exchanged anew,
 * also in the middle of an upload (RekeyLimit).
 */
class HostKeyMemory {
  recognition: Recognition = "known";
  /** How far the handshake has come after the greeting, for people. */
  progress = "the machine did not end the key exchange";
  /** Why a key was refused, or null. */
  refused: Error | null = null;
  #accepted: Buffer | null = null;

  constructor(private readonly options: Pick<HandshakeOptions, "label" | "hostKey">) {}

  /**
   * Answers at once when the keys are exchanged anew: ssh2 1.17 goes on with the next packet before a later answer, and
   * then breaks the connection.
   */
  verify(key: Buffer, answer: (permitted: boolean) => void): void {
    if (this.#accepted !== null) {
      if (!this.#accepted.equals(key))
        this.refused = new ConnectionError(
          "the machine presented another host key in the middle of the connection; the connection was ended",
        );
      answer(this.refused === null);
      return;
    }
    this.progress = "its host key was still being checked";
    this.options.hostKey.verify(key).then(
      (recognition) => {
        this.progress = "the machine did not end the login";
        this.recognition = recognition;
        this.#accepted = Buffer.from(key);
        answer(true);
      },
      (error: unknown) => {
        this.refused = error instanceof Error ? error : new ConnectionError(String(error));
        answer(false);
      },
    );
  }
}

/**
 * After the login, an OpenSSH server announces all its host keys, and ssh2 makes it prove them although nobody here
 * needs that. The proof costs a signature, its verification and a round trip: a tenth of a login. ssh2 has no option to
 * turn it off. If ssh2's internals change, this does nothing.
 */
function declineHostKeyProofs(client: Client): void {
  const { _protocol: protocol } = client as unknown as {
    readonly _protocol?: { readonly _handlers?: Record<string, unknown> };
  };
  const usual = protocol?._handlers?.["GLOBAL_REQUEST"];
  if (protocol?._handlers === undefined || typeof usual !== "function") return;
  protocol._handlers["GLOBAL_REQUEST"] = (from: unknown, name: string, ...rest: unknown[]): void => {
    if (name !== "hostkeys-00@openssh.com") (usual as (...request: unknown[]) => void)(from, name, ...rest);
  };
}

/**
 * Holds back the machine's data, from the first byte on, until `letThrough`. Our own greeting is already on its way, so
 * waiting for the machine's greeting costs no round trip.
 */
class HeldGreeting {
  /** Resolves when the machine has sent something or has closed the connection. */
  readonly received: Promise<void>;
  #hold: () => void = () => undefined;

  constructor(private readonly stream: Duplex) {
    // A "readable" listener keeps "data" from other listeners.
    this.received = new Promise((resolve) => {
      this.#hold = resolve;
    });
    stream.on("readable", this.#hold);
  }

  letThrough(): void {
    this.stream.removeListener("readable", this.#hold);
  }
}

/** The time limit of a handshake. It is paused while the handshake waits in the queue. `signal` ends it at any time. */
class Deadline {
  #timer: NodeJS.Timeout | undefined;
  #stopped = false;
  #over: (error: Error) => void = () => undefined;
  #progress: () => string = () => "";
  readonly #onAbort = (): void => {
    this.#over(new ConnectionError("cancelled"));
  };

  constructor(private readonly options: Pick<HandshakeOptions, "limitMs" | "signal">) {}

  /** @param progress says how far the machine has come */
  onOver(over: (error: Error) => void, progress: () => string): void {
    this.#over = over;
    this.#progress = progress;
    this.options.signal.addEventListener("abort", this.#onAbort, { once: true });
    this.start();
  }

  start(): void {
    if (this.#stopped) return;
    this.#timer = setTimeout(() => {
      this.#over(new ConnectionError(`no handshake within ${this.options.limitMs / 1000} s: ${this.#progress()}`));
    }, this.options.limitMs);
  }

  pause(): void {
    clearTimeout(this.#timer);
  }

  stop(): void {
    this.#stopped = true;
    this.pause();
    this.options.signal.removeEventListener("abort", this.#onAbort);
  }
}
