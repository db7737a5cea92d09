/** What a machine calls its files must never lead out of where they are unpacked. */
import { expect, test } from "@jest/globals";

import { linkTarget, machineName, memberName } from "../../../src/engine/reports/memberNames.js";

test.each([
  ["report", ".", ""],
  ["report", "./a", "report/a"],
  ["relative", "./tree/./x", "files/tree/x"],
  ["absolute", "./var/log/./x", "files/var/log/x"],
  ["relative", "./-rf", "files/-rf"],
  ["relative", "../x", null],
  ["relative", "./a/../../x", null],
  ["relative", "/etc/passwd", null],
  ["relative", "..", null],
  ["relative", "./a/../b", "files/b"],
  ["relative", "x\0y", null],
] as const)("a member %s %j is %j in the archive", (origin, name, expected) => {
  expect(memberName(origin, name)).toBe(expected);
});

test.each([
  ["files/tree/l", "x", "files/tree/x"],
  ["files/tree/l", "../x/./y", "files/x/y"],
  ["report/l", "a/", "report/a"],
  ["files/l", "../report/a", null],
  ["files/l", "../../etc", null],
  ["files/l", "/etc/passwd", null],
  ["files/l", "", null],
  ["files/tree/l", "..", null],
])("the link %j to %j leads to %j", (name, linkname, expected) => {
  expect(linkTarget(name, linkname)).toBe(expected);
});

test("operators are told names as they are on the machine", () => {
  expect([
    machineName("absolute", "./var/log/./x"),
    machineName("relative", "./a/./b"),
    machineName("report", "./c"),
  ]).toEqual(["/var/log/x", "a/b", "report/c"]);
});
