/** Node, and when jest will give up on what runs now: whoever waits gives up a little earlier, with words. */
import { TestEnvironment } from "jest-environment-node";

export default class WithDeadline extends TestEnvironment {
  handleTestEvent(event, { testTimeout }) {
    const timeoutMs =
      event.name === "test_fn_start"
        ? (event.test.timeout ?? testTimeout)
        : event.name === "hook_start"
          ? (event.hook.timeout ?? testTimeout)
          : null;
    if (timeoutMs !== null) this.global.testDeadline = performance.now() + timeoutMs;
  }
}
