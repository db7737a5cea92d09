/** The keys that the SSH agent holds. */
import ssh2, { type ParsedKey } from "ssh2";
import type { Environment } from "../../model/environment.js";

/** How long the agent may take, in milliseconds. One that hangs must not hold a command. */
const LIMIT_MS = 5_000;

/** The public halves of the agent's keys. An agent that does not answer holds none. */
export function agentKeys(env: Environment): Promise<Buffer[]> {
  const socket = env["SSH_AUTH_SOCK"] ?? "";
  if (socket === "") return Promise.resolve([]);
  return new Promise((resolve) => {
    const timer = setTimeout(() => {
      resolve([]);
    }, LIMIT_MS);
    ssh2.createAgent(socket).getIdentities((error, found) => {
      clearTimeout(timer);
      resolve(error ? [] : (found ?? []).map(blobOf));
    });
  });
}

/** The public key that an agent lists: a parsed key, a blob, or an object with either. */
export function blobOf(found: unknown): Buffer {
  const key = found as ParsedKey | Buffer | { readonly pubKey: ParsedKey | Buffer };
  const parsed = "pubKey" in key ? key.pubKey : key;
  return Buffer.isBuffer(parsed) ? parsed : parsed.getPublicSSH();
}
