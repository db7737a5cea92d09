import { expect, test } from "@jest/globals";

import { groupByCause, orderByCause } from "../../src/model/failures.js";

/** `w<z`: w failed because of z. In the order in which they happened. */
function failures(words: string): { service: string; cause: string | null }[] {
  return words.split(" ").map((word) => {
    const [service = "", cause = null] = word.split("<");
    return { service, cause };
  });
}

test.each([
  ["what failed by itself stays in the order of time", "b a c", "b a c"],
  ["a cause comes before those who suffered from it, also if it failed after them", "w-1<z a w-2<z z", "a z w-1 w-2"],
  ["chains go back to their root", "c<b b<a x a", "x a c b"],
  ["a cause that has not failed itself changes nothing", "a<gone b", "a b"],
  ["a circle begins with who failed first", "d<a x b<a a<c c<b", "x b d a c"],
  ["a service that names itself is its own root", "a<a b", "a b"],
])("%s", (_what, before, after) => {
  expect(orderByCause(failures(before)).map(({ service }) => service)).toEqual(after.split(" "));
});

test("each root has its followers, direct or not", () => {
  const groups = groupByCause(failures("z w-1<z y<w-1 other"));
  expect(groups.map(({ root, followers }) => [root.service, followers.map(({ service }) => service)])).toEqual([
    ["z", ["w-1", "y"]],
    ["other", []],
  ]);
});
