/** Chooses the suites of this run, and starts the longest first, so that no worker is left alone with one at the end. */
import Sequencer from "@jest/test-sequencer";

import { isSlow, selection } from "./selection.js";

export default class LongestFirst extends (Sequencer.default ?? Sequencer) {
  constructor(options) {
    super(options);
    this.selection = selection(options.globalConfig);
  }

  /** Jest sorts by the times of the last run, or by size; on a fresh machine slow suites would come late. */
  sort(tests) {
    const chosen = tests.filter(({ path }) => this.selection === "all" || isSlow(path) === (this.selection === "slow"));
    const sorted = super.sort(chosen);
    return [...sorted.filter(({ path }) => isSlow(path)), ...sorted.filter(({ path }) => !isSlow(path))];
  }
}
