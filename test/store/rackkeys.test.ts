// The keys of a scope: the same at every host that has the same secret, and no two alike.
import { expect, it } from "vitest";
import { rackKeys } from "../../src/store/rackkeys.ts";

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");

it("keys of a scope follow from its secret and its name", () => {
  const secrets = [undefined, new Uint8Array(32), new Uint8Array(32).fill(1), new Uint8Array(0)];
  const found = new Set<string>();
  for (const secret of secrets) {
    for (const scope of ["", "web", "db"]) {
      const { digestKey, sealKey } = rackKeys(secret, scope);
      expect([digestKey.length, sealKey.length]).toEqual([32, 32]);
      expect(rackKeys(secret, scope)).toEqual({ digestKey, sealKey });
      found.add(hex(digestKey)).add(hex(sealKey));
    }
  }
  expect(found.size).toBe(2 * 3 * secrets.length);
});

it("keys stay what they are, or hosts of two versions share nothing", () => {
  const { digestKey, sealKey } = rackKeys(new Uint8Array(32).fill(9), "web");
  expect([hex(digestKey), hex(sealKey)]).toMatchInlineSnapshot(`
    [
      "144435841d0b344d813334d160511c9155aaaae416fe65f40738612defa20236",
      "a06fbb2bd46f94fd74b14b1befed17bc7d9d366ffd48afcac841a8a32aa0485b",
    ]
  `);
});
