/** Offers keys to a machine one by one, and remembers what it said to them. */
import ssh2, { type AnyAuthMethod, type IdentityCallback, type ParsedKey, type SignCallback } from "ssh2";
import { blobOf } from "./agentKeys.js";
import type { Identity } from "./identities.js";

export class Authentication {
  /** The methods that the machine accepts, as far as it has told. */
  accepted: readonly string[] = [];
  /** Whether the machine took a key but wants more than that. */
  partial = false;
  #at = 0;
  #agentKeys = 0;

  constructor(
    private readonly user: string,
    private readonly identities: readonly Identity[],
  ) {}

  /** How many keys there are to offer, as far as the agent was asked. */
  get keys(): number {
    return this.identities.filter(({ kind }) => kind === "key").length + this.#agentKeys;
  }

  next(left: readonly string[] | null, partial: boolean | null, offer: (method: AnyAuthMethod | false) => void): void {
    this.accepted = left ?? this.accepted;
    this.partial ||= partial === true;
    const identity = this.identities[this.#at++];
    const username = this.user;
    if (identity === undefined) offer(false);
    else if (identity.kind === "key") offer({ type: "publickey", username, key: identity.key });
    else {
      const agent = new SelectedAgent(identity.socket, identity.selects, (count) => (this.#agentKeys += count));
      offer({ type: "agent", username, agent });
    }
  }
}

/** An agent that shows some of its keys only. */
class SelectedAgent extends ssh2.BaseAgent<ParsedKey> {
  readonly #agent: ssh2.BaseAgent<ParsedKey>;

  constructor(
    socket: string,
    private readonly selects: (blob: Buffer) => boolean,
    private readonly onKeys: (count: number) => void,
  ) {
    super();
    this.#agent = ssh2.createAgent(socket) as ssh2.BaseAgent<ParsedKey>;
  }

  getIdentities(done: IdentityCallback<ParsedKey>): void {
    this.#agent.getIdentities((error, keys) => {
      if (error) return done(error);
      const selected = (keys ?? []).filter((key) => this.selects(blobOf(key)));
      this.onKeys(selected.length);
      done(undefined, selected);
    });
  }

  sign(key: ParsedKey, data: Buffer, options: ssh2.SigningRequestOptions | SignCallback, done?: SignCallback): void {
    if (typeof options === "function") this.#agent.sign(key, data, options);
    else this.#agent.sign(key, data, options, done);
  }
}
