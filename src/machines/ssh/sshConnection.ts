/** Reaches a machine over SSH, trying until its time is over. */
import type { Duplex } from "node:stream";
import { setTimeout as delay } from "node:timers/promises";
import type { Client } from "ssh2";
import {
  AuthenticationError,
  isAuthenticationError,
  ConnectionError,
  isConnectionLostError,
  HostKeyError,
  isHostKeyError,
  type MachineConnection,
} from "../contract/connection.js";
import { JumpHostPool } from "./jumpHosts.js";
import { finishContact, isUnfinished, type FirstConnection } from "./firstContact.js";
import { shakeHands, type AuthenticatedClient } from "./handshake.js";
import { handshakeLimit } from "./handshakeLimit.js";
import { hostKeyCheck, type HostKeyCheck } from "./hostKeys.js";
import { connectionPool } from "./connectionPool.js";
import { type Identity, loadIdentities } from "./identities.js";
import { connectTcp } from "./connectTcp.js";
import type { SshSettings } from "./settings.js";
import { sshConnection, type SshConnection } from "./sshChannels.js";

export interface ConnectOptions {
  readonly signal: AbortSignal;
  onWarning(message: string): void;
  /** Shares connections to jump hosts between machines; the one of this process unless told. */
  readonly bastions?: JumpHostPool;
}

/** How often a first contact is begun again when its connection breaks. */
const CONTACTS = 3;

/** Milliseconds for one attempt to reach a machine, and again to log in. */
const ATTEMPT_MS = 15_000;
const FIRST_BACKOFF_MS = 150;
const LONGEST_BACKOFF_MS = 3000;

const everybody = new JumpHostPool();

/**
 * Connects and logs in. Refused, unreachable, reset and silent machines are tried again until `connectTimeoutMs` is
 * over (a machine that boots is all of these); then `ConnectionError`. `AuthenticationError` and `HostKeyError` come at
 * once and are final. A machine that is met for the first time is given host keys of its own before anybody gets the
 * connection.
 */
export async function connectSsh(settings: SshSettings, options: ConnectOptions): Promise<MachineConnection> {
  const identities = await loadIdentities(settings);
  const bastions = options.bastions ?? everybody;
  const label = `${settings.user}@${settings.host}:${settings.port}`;
  const meet = async (again: boolean, timeoutMs = settings.connectTimeoutMs): Promise<FirstConnection> => {
    const { client, recognition } = await persist(label, timeoutMs, options.signal, (limitMs) =>
      logIn(settings, identities, options, limitMs, again, (limit) =>
        reach(settings, identities, bastions, options, limit),
      ),
    );
    return { connection: sshConnection(client, label, settings.workDirectory, () => undefined), recognition };
  };
  // The machine has answered already: one that is silent now takes no more.
  const more = async (): Promise<SshConnection> =>
    (await meet(false, Math.min(settings.connectTimeoutMs, ATTEMPT_MS))).connection;
  const grown = (connection: SshConnection): MachineConnection =>
    connectionPool(connection, more, (error) => {
      options.onWarning(
        `${label} takes no more connections (${error instanceof Error ? error.message : String(error)}): programs there wait for one another to end`,
      );
    });
  for (let contact = 1; ; contact++) {
    const met = await meet(false);
    try {
      if (!(await isUnfinished(settings))) return grown(met.connection);
      return grown(await finishContact(met, settings, { signal: options.signal, again: () => meet(true) }));
    } catch (error) {
      await met.connection.close();
      if (!isConnectionLostError(error) || contact >= CONTACTS) throw error;
    }
  }
}

/** A stream to the machine: straight, or through its jump host. */
async function reach(
  settings: SshSettings,
  identities: readonly Identity[],
  bastions: JumpHostPool,
  options: ConnectOptions,
  limitMs: number,
): Promise<Duplex> {
  const { jump } = settings;
  if (jump === null) return connectTcp(settings.host, settings.port, limitMs, options.signal);
  // It was there before: keys that machines are given for their first contact say nothing of it.
  const bastion = { ...settings, host: jump.host, user: jump.user, port: jump.port, jump: null, contact: null };
  const label = `${jump.user}@${jump.host}:${jump.port}`;
  // The bastion belongs to all machines behind it, so one machine's signal does not end the attempt.
  const own = { ...options, signal: new AbortController().signal };
  const connect = (): Promise<Client> =>
    logIn(bastion, identities, own, limitMs, false, (limit) =>
      connectTcp(bastion.host, bastion.port, limit, own.signal),
    ).then(({ client }) => client);
  try {
    return await withLimit(
      bastions.stream(sharedBy(label, settings), connect, settings.host, settings.port),
      2 * limitMs,
      `the jump host ${label} did not answer`,
    );
  } catch (error) {
    if (isHostKeyError(error)) throw new HostKeyError(`jump host: ${error.message}`, error.presented, error.expected);
    if (isAuthenticationError(error)) throw new AuthenticationError(`jump host: ${error.message}`, { cause: error });
    throw error;
  }
}

/** Machines share a bastion's connection if they would all have made it the same way. */
function sharedBy(label: string, { identities, agent, passphraseEnv, hostKeys, knownHosts }: SshSettings): string {
  return JSON.stringify([label, identities, agent, passphraseEnv, hostKeys, knownHosts]);
}

/**
 * @param again whether the machine has host keys of its own by now: the one that it was given is what sshd still had a
 * moment ago, and no more.
 */
async function logIn(
  settings: SshSettings,
  identities: readonly Identity[],
  options: ConnectOptions,
  limitMs: number,
  again: boolean,
  reachIt: (limitMs: number) => Promise<Duplex>,
): Promise<AuthenticatedClient> {
  const hostKey = await hostKeyCheck(settings.host, settings.port, settings, options.signal);
  const stream = await reachIt(limitMs);
  return shakeHands(stream, {
    label: `${settings.user}@${settings.host}:${settings.port}`,
    user: settings.user,
    identities,
    keepaliveMs: settings.keepaliveMs,
    limitMs,
    hostKey: again ? withoutTemporary(hostKey) : hostKey,
    signal: options.signal,
    place: handshakeLimit,
    onWarning: (message) => {
      options.onWarning(message);
    },
  });
}

function withoutTemporary(check: HostKeyCheck): HostKeyCheck {
  return {
    algorithms: check.algorithms,
    async verify(key) {
      const recognition = await check.verify(key);
      if (recognition === "temporary")
        throw new ConnectionError(
          "sshd still shows the host key of its first contact, and does not take the new ones; restart it there",
        );
      return recognition;
    },
  };
}

/** Tries until it works, is refused for good or `timeoutMs` is over. */
async function persist<T>(
  label: string,
  timeoutMs: number,
  signal: AbortSignal,
  attempt: (limitMs: number) => Promise<T>,
): Promise<T> {
  const began = performance.now();
  for (let count = 1; ; count++) {
    const left = timeoutMs - (performance.now() - began);
    try {
      return await attempt(Math.max(1, Math.min(ATTEMPT_MS, Math.round(left))));
    } catch (error) {
      const last = final(error) ? "final" : signal.aborted ? "aborted" : "retry";
      if (last === "final") throw error;
      const message = error instanceof Error ? error.message : String(error);
      if (last === "aborted")
        throw new ConnectionError(`${label}: given up while connecting (${message})`, { cause: error });
      const pause = backoff(count);
      const spent = performance.now() - began;
      if (spent + pause >= timeoutMs) {
        const times = count === 1 ? "once" : `${count} times`;
        throw new ConnectionError(
          `${label} could not be reached within ${(timeoutMs / 1000).toFixed(timeoutMs < 10_000 ? 1 : 0)} s (tried ${times}); last: ${message}`,
          { cause: error },
        );
      }
      // An abort ends the pause early; the next attempt then ends at once and says so.
      await delay(pause, undefined, { signal }).catch(() => undefined);
    }
  }
}

function final(error: unknown): boolean {
  return (
    isAuthenticationError(error) ||
    isHostKeyError(error) ||
    (error instanceof Error && /no matching (key exchange|.*cipher|.*MAC)/i.test(error.message))
  );
}

/**
 * Grows by half each time, with up to a half taken off at random, so that machines that failed together do not come
 * back together.
 */
function backoff(count: number): number {
  return Math.min(LONGEST_BACKOFF_MS, FIRST_BACKOFF_MS * 1.5 ** (count - 1)) * (0.5 + Math.random() / 2);
}

async function withLimit<T extends Duplex>(work: Promise<T>, limitMs: number, message: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  let late = false;
  const over = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      late = true;
      reject(new ConnectionError(`${message} within ${limitMs / 1000} s`));
    }, limitMs);
  });
  // A stream that comes too late is nobody's. If none comes, the race has told why.
  work.then(
    (stream) => {
      if (late) stream.destroy();
    },
    () => undefined,
  );
  return Promise.race([work, over]).finally(() => {
    clearTimeout(timer);
  });
}
