/** Records of the first connection to machines. */
/**
 * "trusted": the machine has generated its own host keys and they are pinned, so the injected key is refused from now
 * on. "prepared": the launcher has waited for the machine's first boot (cloud-init).
 */
export type ContactStage = "trusted" | "prepared";

/** A key that a machine was told to authorize, and its source on the launcher. */
export interface AuthorizedKey {
  /** `ssh-ed25519 AAAA…` */
  readonly key: string;
  /** The source to show to people: a file, the agent. */
  readonly label: string;
}

/** A key pair that bootlevel generated for the machines of one run. */
export interface RunSshKey {
  readonly publicKey: string;
  /** In OpenSSH's format. Encrypted in the database. */
  readonly privateKey: string;
}
