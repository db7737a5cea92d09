/** The public face of `machines/`. */
export * from "./connection.js";
export { createLink, type ClosableLink, type MachineLink } from "./link.js";
export { openLocal, type LocalMachine } from "./local/localConnection.js";
export { findBranded, killBranded, type BrandedProcess } from "./local/branded.js";
export { writeBundle, StagingSourceError, type Bundle, type BundleSource } from "./program/bundle.js";
export { OutputError, StagingError } from "./program/errors.js";
export type { ProgramRequest, ProgramResult, ProgramStart } from "./program/request.js";
export { recoverProgram, runProgram, type RecoverRequest, type RecoverResult } from "./program/runProgram.js";
export { connectSsh, limitHandshakes, type ConnectOptions } from "./ssh/sshConnection.js";
export { BastionPool } from "./ssh/bastions.js";
export type { HostKeyPins, JumpHost, SshSettings } from "./ssh/settings.js";
