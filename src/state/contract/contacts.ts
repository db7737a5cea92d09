/** What is recorded of the first connection to machines. */
/**
 * "trusted": the machine has made host keys of its own and they are pinned, so the key that it was given is refused;
 * "prepared": its own first boot (cloud-init) has been waited for.
 */
export type ContactStage = "trusted" | "prepared";

/** A key that a machine was told to let in, and where the launcher had it from. */
export interface AuthorizedKey {
  /** `ssh-ed25519 AAAA…` */
  readonly key: string;
  /** For people: a file, the agent. */
  readonly label: string;
}

/** A key pair that bootlevel made for the machines of one run. */
export interface RunSshKey {
  readonly publicKey: string;
  /** In OpenSSH's format; encrypted in the database. */
  readonly privateKey: string;
}
