/** Errors of jump hosts, told apart from those of the machines behind them. */
import { guardOf } from "../../errors/bootlevelError.js";
import {
  AuthenticationError,
  ConnectionError,
  HostKeyError,
  isAuthenticationError,
  isHostKeyError,
} from "../contract/connection.js";
import { isProtocolError, ProtocolError } from "./handshakeErrors.js";

/** The jump host cannot be reached, so the machine is not to blame. */
export class JumpHostError extends ConnectionError {
  static override readonly code: string = "JUMP_HOST";
  /** @param jumpHost `user@host:port` */
  constructor(
    message: string,
    readonly jumpHost: string,
    options?: { cause?: unknown },
  ) {
    super(message, options);
  }
}

export const isJumpHostError = guardOf(JumpHostError);

/** Says of an error that it is the jump host's. @param label `user@host:port` */
export function jumpHostError(error: unknown, label: string): unknown {
  if (isHostKeyError(error)) return new HostKeyError(`jump host: ${error.message}`, error.presented, error.expected);
  if (isAuthenticationError(error)) return new AuthenticationError(`jump host: ${error.message}`, { cause: error });
  if (isProtocolError(error)) return new ProtocolError(`jump host: ${error.message}`, { cause: error });
  const message = error instanceof Error ? error.message : String(error);
  return new JumpHostError(message, label, { cause: error });
}
