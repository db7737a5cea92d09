import { expect, test } from "@jest/globals";

import { serviceNames } from "../../src/display/serviceNames.js";

test.each([
  [["db"], "db"],
  [["w-3", "w-1", "w-2"], "w-1..w-3"],
  [["w-1", "w-2"], "w-1 and w-2"],
  [["w-2", "db", "w-1", "w-4", "w-3", "w-9"], "w-1..w-4, w-9 and db"],
  [["a", "b", "c", "d", "e", "f", "g", "h", "i", "j-1", "j-2", "j-3"], "a, b, c, d, e, f, g, h and 4 more"],
  [["evil\u001b[31m"], "evil"],
])("%j is %j", (names, text) => {
  expect(serviceNames(names)).toBe(text);
});
