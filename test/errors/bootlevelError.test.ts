/** Errors are known by their codes, whichever copy of the package has made them. */
import { expect, test } from "@jest/globals";

import * as library from "../../src/index.js";

const {
  BootlevelError,
  CloudUnreachableError,
  DriverError,
  isBootlevelError,
  isCloudUnreachableError,
  isDriverError,
  isStateError,
  isThrottledError,
} = library;

test("an error is of its class and of those above it", () => {
  const error = new CloudUnreachableError("c", "no network", { remedy: "plug it in", cause: "a cable" });
  expect(error).toMatchObject({ code: "CLOUD_UNREACHABLE", remedy: "plug it in", cause: "a cable", cloud: "c" });
  expect([isCloudUnreachableError, isDriverError, isStateError, isThrottledError].map((is) => is(error))).toEqual([
    true,
    true,
    false,
    false,
  ]);
  expect(isBootlevelError(error)).toBe(true);
  expect(isBootlevelError(error, "DRIVER")).toBe(true);
  expect(isBootlevelError(error, "THROTTLED")).toBe(false);
  expect(isCloudUnreachableError(new DriverError("no"))).toBe(false);
});

test.each([null, undefined, "DRIVER", 7, {}, { code: "DRIVER" }, new Error("no"), Object.create(null)])(
  "%p is none of bootlevel's",
  (value) => {
    expect(isBootlevelError(value)).toBe(false);
  },
);

test("a subclass of a driver's own counts as its parent, and has a code of its own if it says so", () => {
  class SoldOutError extends DriverError {}
  class QuotaError extends DriverError {
    static override readonly code: string = "ACME_QUOTA";
  }
  expect([isDriverError(new SoldOutError("x")), new SoldOutError("x").code]).toEqual([true, "DRIVER"]);
  expect([isDriverError(new QuotaError("x")), new QuotaError("x").code]).toEqual([true, "ACME_QUOTA"]);
});

test("every class that the library exports has a code of its own and a remedy", () => {
  const classes = Object.values<unknown>(library).filter(
    (value): value is typeof BootlevelError =>
      typeof value === "function" && (value === BootlevelError || value.prototype instanceof BootlevelError),
  );
  expect(classes.length).toBeGreaterThan(10);
  const codes = classes.map(({ code }) => code);
  expect(new Set(codes).size).toBe(codes.length);
  for (const code of codes) expect(code).toMatch(/^[A-Z]+(_[A-Z]+)*$/);
});
