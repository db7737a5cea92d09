/**
 * The first contact with a machine that was given a host key when it was launched. Whoever can read what machines are
 * given knows that key, so the machine makes keys of its own over the first session; they are pinned, then installed,
 * then proved by another connection, and from then on the first key is refused. A launcher may die after any of these:
 * the machine shows its first key until its own are installed, and a pinned one after that.
 */
import { HostKeyError, type MachineConnection } from "../contract/connection.js";
import { inquire, type InquiryAnswer } from "../shell/inquiry.js";
import type { Recognition } from "./hostKeys.js";
import { installScript, stageScript } from "./hostKeyScripts.js";
import type { MachineContact, SshSettings } from "./settings.js";
import type { SshConnection } from "./sshChannels.js";

/** A machine that has let us in, and how it was recognised. */
export interface FirstConnection {
  readonly connection: SshConnection;
  readonly recognition: Recognition;
}

export interface ContactOptions {
  readonly signal: AbortSignal;
  /** Connects anew; the key of the first contact does not count. */
  again(): Promise<FirstConnection>;
}

/** Milliseconds that a machine may take to make keys: small ones need long for RSA. */
const LIMIT_MS = 180_000;

const FAILURES: Readonly<Record<string, string>> = {
  "no-keygen": "the machine has no ssh-keygen; install OpenSSH there",
  "no-sudo": "the user is not root, and the machine has no sudo",
  sudo: "the user is not root, and sudo refuses without a password",
  make: "ssh-keygen cannot make them",
  install: "they cannot be written where sshd looks for them",
};

/** Whether there is something to be done before the machine's own keys are all that counts. */
export async function isUnfinished({ hostKeys, contact }: Pick<SshSettings, "hostKeys" | "contact">): Promise<boolean> {
  return (
    hostKeys === "injected" &&
    contact !== null &&
    contact.hostKeys.length > 0 &&
    contact.mayChange &&
    !(await contact.finished())
  );
}

/**
 * Goes on with a first contact from wherever it was left.
 * @returns a connection to the machine that its own keys have proved; the first one is closed then.
 * @throws HostKeyError when the machine cannot be given keys of its own: another attempt would end the same way.
 */
export async function finishContact(
  { connection, recognition }: FirstConnection,
  settings: SshSettings,
  options: ContactOptions,
): Promise<SshConnection> {
  const contact = settings.contact as MachineContact;
  let proved = connection;
  if (recognition === "temporary") {
    await pinOwnKeys(connection, settings, contact, options.signal);
    await install(connection, options.signal);
    await connection.close();
    proved = (await options.again()).connection;
  } else if (recognition === "pinned") {
    // One key is installed; the launcher may have died before it saw the others.
    await install(connection, options.signal);
  }
  try {
    await contact.finish();
  } catch (error) {
    await proved.close();
    throw error;
  }
  return proved;
}

async function pinOwnKeys(
  connection: MachineConnection,
  { host }: SshSettings,
  contact: MachineContact,
  signal: AbortSignal,
): Promise<void> {
  const pinned = await contact.pins.find(host);
  const answer = await inquire(connection, (say) => stageScript(say, pinned), { limitMs: LIMIT_MS, signal });
  const keys = answer.said.filter((line) => line.startsWith("key ")).map((line) => line.slice("key ".length));
  if (!answer.said.includes("staged") || keys.length === 0) throw failure(connection, answer);
  for (const key of keys) if (!pinned.includes(key)) await contact.pins.pin(host, key);
}

async function install(connection: MachineConnection, signal: AbortSignal): Promise<void> {
  const answer = await inquire(connection, installScript, { limitMs: LIMIT_MS, signal });
  if (!answer.said.includes("installed")) throw failure(connection, answer);
}

function failure({ label }: MachineConnection, { said, words }: InquiryAnswer): HostKeyError {
  const why = said.find((line) => line.startsWith("fail "))?.slice("fail ".length) ?? "";
  const sentence = FAILURES[why] ?? "its shell did not finish";
  return new HostKeyError(
    `${label}: the machine cannot be given host keys of its own: ${sentence}${words === "" ? "" : ` (${words})`}. ` +
      "host_keys: injected needs root's rights there; host_keys: console and accept-new do without",
    "",
    [],
  );
}
