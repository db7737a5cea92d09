/** Connects to a machine over SSH, with retries. */
import type { Duplex } from "node:stream";
import { setTimeout as delay } from "node:timers/promises";
import {
  isAuthenticationError,
  ConnectionError,
  isConnectionLostError,
  isHostKeyError,
  type MachineConnection,
} from "../contract/connection.js";
import { isJumpHostError, jumpHostError } from "./jumpHostErrors.js";
import { JumpHostPool } from "./jumpHosts.js";
import { replaceHostKeys, needsOwnHostKeys, type FirstConnection } from "./replaceHostKeys.js";
import { handshake, type AuthenticatedClient } from "./handshake.js";
import { handshakeLimit } from "./handshakeLimit.js";
import { hostKeyCheck, type HostKeyCheck } from "./hostKeyCheck.js";
import { connectionPool } from "./connectionPool.js";
import { type Identity, loadIdentities } from "./identities.js";
import { connectTcp } from "./connectTcp.js";
import { openProxy, proxyWords } from "./proxyCommand.js";
import type { SshSettings } from "./settings.js";
import { isProtocolError } from "./handshakeErrors.js";
import { SessionLimit } from "./sessionSlots.js";
import { sshConnection, type SshConnection } from "./sshChannels.js";

export interface ConnectOptions {
  readonly signal: AbortSignal;
  onWarning(message: string): void;
  /** Pool of jump host connections; default: the process-wide pool. */
  readonly jumpHosts?: JumpHostPool;
}

/** How often the first connection is started again after it breaks. */
const FIRST_CONNECTIONS = 3;

/** Time limit in milliseconds for one TCP connection, and again for one login. */
const ATTEMPT_MS = 15_000;
const FIRST_BACKOFF_MS = 150;
const LONGEST_BACKOFF_MS = 3000;

const sharedJumpHosts = new JumpHostPool();

/**
 * Connects and logs in. Retries a machine that refuses, is unreachable, resets or stays silent until `connectTimeoutMs`
 * is over: a booting machine does all of that. A launched machine replaces its temporary host keys before the
 * connection is returned.
 * @throws ConnectionError after `connectTimeoutMs`; AuthenticationError and HostKeyError at once, they are final.
 */
export async function connectSsh(settings: SshSettings, options: ConnectOptions): Promise<MachineConnection> {
  const identities = await loadIdentities(settings);
  const jumpHosts = options.jumpHosts ?? sharedJumpHosts;
  const label = `${settings.user}@${settings.host}:${settings.port}`;
  const sessions = new SessionLimit();
  const connectOnce = async (again: boolean, timeoutMs = settings.connectTimeoutMs): Promise<FirstConnection> => {
    const { client, stream, recognition, refusal } = await retry(label, timeoutMs, options.signal, (limit) =>
      logIn(settings, identities, options, limit, again, () =>
        openStream(settings, identities, jumpHosts, options, limit),
      ),
    );
    const { workDirectory } = settings;
    return { connection: sshConnection({ client, stream, label, workDirectory, sessions, refusal }), recognition };
  };
  // The machine has answered before, so one attempt must be enough.
  const connectMore = async (): Promise<SshConnection> =>
    (await connectOnce(false, Math.min(settings.connectTimeoutMs, ATTEMPT_MS))).connection;
  const pooled = (connection: SshConnection): MachineConnection =>
    connectionPool(
      connection,
      connectMore,
      (error) => {
        options.onWarning(
          `${label} accepts no more connections (${error instanceof Error ? error.message : String(error)}); ` +
            "further programs there wait for a free channel",
        );
      },
      () => sessions.freed(),
    );
  for (let contact = 1; ; contact++) {
    const first = await connectOnce(false);
    try {
      if (!(await needsOwnHostKeys(settings))) return pooled(first.connection);
      return pooled(
        await replaceHostKeys(first, settings, { signal: options.signal, reconnect: () => connectOnce(true) }),
      );
    } catch (error) {
      await first.connection.close();
      if (!isConnectionLostError(error) || contact >= FIRST_CONNECTIONS) throw error;
    }
  }
}

/** Opens a stream to the machine, directly or through its jump host. */
async function openStream(
  settings: SshSettings,
  identities: readonly Identity[],
  jumpHosts: JumpHostPool,
  options: ConnectOptions,
  limit: Limit,
): Promise<Duplex> {
  const { jump } = settings;
  if (jump === null) return connectTcp(settings.host, settings.port, limit(), options.signal);
  // The jump host existed before: the machine's temporary keys do not apply to it.
  const jumpHost = {
    ...settings,
    host: jump.host,
    user: jump.user,
    port: jump.port,
    jump: null,
    proxyCommand: null,
    contact: null,
  };
  const label = `${jump.user}@${jump.host}:${jump.port}`;
  // All machines behind the jump host share this attempt, so it has a signal of its own.
  const connect = (signal: AbortSignal): Promise<AuthenticatedClient> =>
    logIn(jumpHost, identities, { ...options, signal }, limit, false, () =>
      connectTcp(jumpHost.host, jumpHost.port, limit(), signal),
    ).catch((error: unknown) => {
      throw jumpHostError(error, label);
    });
  const { signal } = options;
  return jumpHosts.stream(jumpHostKey(label, settings), connect, settings, { label, limit, signal });
}

/** Machines share a jump host connection if all its settings are equal. */
function jumpHostKey(label: string, { identities, agent, passphraseEnv, hostKeys, knownHosts }: SshSettings): string {
  return JSON.stringify([label, identities, agent, passphraseEnv, hostKeys, knownHosts]);
}

/**
 * Makes one attempt.
 * @param again true when the machine should present its own host keys by now; the temporary key is then an error.
 */
async function logIn(
  settings: SshSettings,
  identities: readonly Identity[],
  options: ConnectOptions,
  limit: Limit,
  again: boolean,
  reachIt: () => Promise<Duplex>,
): Promise<AuthenticatedClient> {
  const hostKey = await hostKeyCheck(settings.host, settings.port, settings, options.signal);
  const { proxyCommand = null } = settings;
  const { stream, explain } =
    proxyCommand === null
      ? { stream: await reachIt(), explain: async (error: Error) => error }
      : await openProxy(proxyWords(proxyCommand, settings), settings.env, options.signal);
  return handshake(stream, {
    label: `${settings.user}@${settings.host}:${settings.port}`,
    user: settings.user,
    identities,
    keepaliveMs: settings.keepaliveMs,
    limitMs: limit(),
    hostKey: again ? withoutTemporary(hostKey) : hostKey,
    signal: options.signal,
    limit: handshakeLimit,
    onWarning: (message) => {
      options.onWarning(message);
    },
  }).catch(async (error: unknown) => {
    const explained = isFinal(error) || !(error instanceof Error) ? error : await explain(error);
    stream.destroy();
    throw explained;
  });
}

function withoutTemporary(check: HostKeyCheck): HostKeyCheck {
  return {
    algorithms: check.algorithms,
    async verify(key) {
      const recognition = await check.verify(key);
      if (recognition === "temporary")
        throw new ConnectionError(
          "sshd still presents its temporary host key and did not load the new ones; restart sshd there",
        );
      return recognition;
    },
  };
}

/** The time limit in milliseconds for a stage of connecting that begins now. All stages share `connectTimeoutMs`. */
type Limit = () => number;

/** The shortest attempt, in milliseconds, whose failure counts as the reason why all of them failed. */
const TELLING_MS = 1_000;

/** Retries until `attempt` succeeds, fails finally, or `timeoutMs` is over. */
async function retry<T>(
  label: string,
  timeoutMs: number,
  signal: AbortSignal,
  attempt: (limit: Limit) => Promise<T>,
): Promise<T> {
  const began = performance.now();
  const limit = (): number => Math.max(1, Math.min(ATTEMPT_MS, Math.round(timeoutMs - (performance.now() - began))));
  let telling: unknown = null;
  for (let count = 1; ; count++) {
    const left = limit();
    try {
      return await attempt(limit);
    } catch (error) {
      // An attempt that was cut short by the end of the time says nothing about the machine.
      if (telling === null || left >= TELLING_MS) telling = error;
      const last = isFinal(error) ? "final" : signal.aborted ? "aborted" : "retry";
      if (last === "final") throw error;
      const message = error instanceof Error ? error.message : String(error);
      if (last === "aborted")
        throw new ConnectionError(`${label}: cancelled while connecting (${message})`, { cause: error });
      const pause = backoff(count);
      const spent = performance.now() - began;
      if (spent + pause >= timeoutMs) {
        const times = count === 1 ? "once" : `${count} times`;
        const whole = `${(timeoutMs / 1000).toFixed(timeoutMs < 10_000 ? 1 : 0)} s`;
        const cause = telling;
        const behind = isJumpHostError(cause) ? `, so ${label} cannot be reached` : "";
        throw new ConnectionError(
          `${isJumpHostError(cause) ? `the jump host ${cause.jumpHost}` : label} could not be reached within ${whole} ` +
            `(tried ${times})${behind}; last error: ${cause instanceof Error ? cause.message : String(cause)}`,
          { cause },
        );
      }
      // An abort ends the pause early; the next attempt then fails at once with the reason.
      await delay(pause, undefined, { signal }).catch(() => undefined);
    }
  }
}

function isFinal(error: unknown): boolean {
  return isAuthenticationError(error) || isHostKeyError(error) || isProtocolError(error);
}

/**
 * Exponential backoff (factor 1.5) with up to 50 % random jitter, so that machines that failed together do not retry
 * together.
 */
function backoff(count: number): number {
  return Math.min(LONGEST_BACKOFF_MS, FIRST_BACKOFF_MS * 1.5 ** (count - 1)) * (0.5 + Math.random() / 2);
}
