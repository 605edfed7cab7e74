// Connections beyond the first.
import { expect, it } from "vitest";
import { furtherConnectionFault } from "../../src/qemu/channels.ts";

it("channels: says what to turn off", () => {
  const multifd = Uint8Array.of(0x11, 0x22, 0x33, 0x44, 0, 0, 0, 1);
  expect(furtherConnectionFault("web", multifd)).toMatchObject({
    code: "FORMAT",
    message: "web: multifd is on: turn off the capability multifd",
  });
  for (const length of [0, 3, 8]) {
    expect(furtherConnectionFault("web", new Uint8Array(length)).message).toBe(
      "web: QEMU opened another connection: " +
        "turn off the capabilities multifd and postcopy-preempt",
    );
  }
});
