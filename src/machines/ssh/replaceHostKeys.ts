/**
 * The first connection to a machine that received a temporary host key at launch. Anybody who can read the machine's
 * launch data knows that key, so the machine generates its own keys over the first session. The launcher pins them,
 * installs them and verifies them over a second connection; from then on it refuses the temporary key. Each step can be
 * resumed when a launcher dies: the machine presents the temporary key until its own keys are installed, and a pinned
 * key after that.
 */
import { HostKeyError, type MachineConnection } from "../contract/connection.js";
import { runQuery, type QueryAnswer } from "../shell/query.js";
import type { Recognition } from "./hostKeyCheck.js";
import { installScript, stageScript } from "./hostKeyScripts.js";
import type { MachineContact, SshSettings } from "./settings.js";
import type { SshConnection } from "./sshChannels.js";

/** An authenticated connection, and how the host key was recognised. */
export interface FirstConnection {
  readonly connection: SshConnection;
  readonly recognition: Recognition;
}

export interface ReplaceOptions {
  readonly signal: AbortSignal;
  /** Connects again, without accepting the temporary key. */
  reconnect(): Promise<FirstConnection>;
}

/** Time limit for key generation, in milliseconds; RSA keys take long on small machines. */
const LIMIT_MS = 180_000;

const FAILURES: Readonly<Record<string, string>> = {
  "no-keygen": "ssh-keygen is missing there; install OpenSSH",
  "no-sudo": "the user is not root, and sudo is missing there",
  sudo: "the user is not root, and sudo asks for a password",
  make: "ssh-keygen failed",
  install: "the keys cannot be written where sshd reads them",
};

/** Whether the machine still has to replace its temporary host key. */
export async function needsOwnHostKeys({
  hostKeys,
  contact,
}: Pick<SshSettings, "hostKeys" | "contact">): Promise<boolean> {
  return (
    hostKeys === "injected" &&
    contact !== null &&
    contact.hostKeys.length > 0 &&
    contact.mayChange &&
    !(await contact.finished())
  );
}

/**
 * Continues the key replacement from where an earlier launcher left it.
 * @returns a connection that the machine's own keys have verified; the first connection is closed then.
 * @throws HostKeyError when the machine cannot get its own keys; a retry would fail the same way.
 */
export async function replaceHostKeys(
  { connection, recognition }: FirstConnection,
  settings: SshSettings,
  options: ReplaceOptions,
): Promise<SshConnection> {
  const contact = settings.contact as MachineContact;
  let proved = connection;
  if (recognition === "temporary") {
    await pinOwnKeys(connection, settings, contact, options.signal);
    await install(connection, options.signal);
    await connection.close();
    proved = (await options.reconnect()).connection;
  } else if (recognition === "pinned") {
    // At least one key is installed. A launcher may have died before the others were.
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
  const answer = await runQuery(connection, (say) => stageScript(say, pinned), { limitMs: LIMIT_MS, signal });
  const keys = answer.said.filter((line) => line.startsWith("key ")).map((line) => line.slice("key ".length));
  if (!answer.said.includes("staged") || keys.length === 0) throw failure(connection, answer);
  for (const key of keys) if (!pinned.includes(key)) await contact.pins.pin(host, key);
}

async function install(connection: MachineConnection, signal: AbortSignal): Promise<void> {
  const answer = await runQuery(connection, installScript, { limitMs: LIMIT_MS, signal });
  if (!answer.said.includes("installed")) throw failure(connection, answer);
}

function failure({ label }: MachineConnection, { said, words }: QueryAnswer): HostKeyError {
  const why = said.find((line) => line.startsWith("fail "))?.slice("fail ".length) ?? "";
  const sentence = FAILURES[why] ?? "its shell did not finish the script";
  return new HostKeyError(
    `${label}: cannot install the machine's own host keys: ${sentence}${words === "" ? "" : ` (${words})`}. ` +
      "host_keys: injected needs root there; host_keys: console and accept-new do not",
    "",
    [],
  );
}
