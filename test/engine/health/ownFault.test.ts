/** Whose fault a failed check is: only what a machine or its program did counts against them. */
import { expect, test } from "@jest/globals";

import { isOwnFault } from "../../../src/engine/health/ownFault.js";
import {
  AuthenticationError,
  ConnectionError,
  ConnectionLostError,
} from "../../../src/machines/contract/connection.js";
import { OutputError, StagingError } from "../../../src/machines/contract/errors.js";
import { cannotRead } from "../../../src/state/contract/fileErrors.js";

function failed(code: string, syscall: string): Error {
  return Object.assign(new Error(`${code}: failed, ${syscall}`), { code, syscall });
}

test.each([
  ["no answer within 30 s", new ConnectionError("no answer")],
  ["a connection that is refused", new ConnectionError("refused", { cause: failed("ECONNREFUSED", "connect") })],
  ["a connection that broke", new ConnectionLostError("reset", { cause: failed("ECONNRESET", "read") })],
  ["a name that does not resolve", new ConnectionError("x", { cause: failed("ENOTFOUND", "getaddrinfo") })],
  ["a firewall", new ConnectionError("x", { cause: failed("EACCES", "connect") })],
  ["a login that is refused", new AuthenticationError("no key fits")],
  ["outputs that cannot be read", new OutputError("no list", 1)],
])("the machine's: %s", (_what, error) => {
  expect(isOwnFault(error)).toBe(false);
});

test.each([
  ["too many open files", new ConnectionError("x", { cause: failed("EMFILE", "connect") })],
  ["no local port", new ConnectionError("x", { cause: failed("EADDRNOTAVAIL", "connect") })],
  ["no more processes", new ConnectionLostError("x", { cause: failed("EAGAIN", "spawn /bin/sh") })],
  ["a key file without rights", new ConnectionError("x", { cause: failed("EACCES", "open") })],
  ["a full disk", failed("ENOSPC", "write")],
  ["a file of the state", cannotRead("/x", failed("EIO", "read"))],
  ["a bundle, two causes down", new StagingError("x", { cause: cannotRead("/x", failed("ENOENT", "open")) })],
  ["a program that could not be put there", new StagingError("no room")],
  ["a defect", new TypeError("x is undefined")],
])("this computer's: %s", (_what, error) => {
  expect(isOwnFault(error)).toBe(true);
});
