// Addresses of Redis servers, and which of them strangers are kept away from.
import { describe, expect, it } from "vitest";
import { isProtected, parseRedisUrl } from "../../src/store/redisurl.ts";

const none = {};

describe("addresses of Redis", () => {
  it.each([
    ["redis://", { place: "localhost:6379", host: "localhost", port: 6379 }],
    ["redis://cache.example", { place: "cache.example:6379", host: "cache.example", port: 6379 }],
    [
      "redis://10.0.0.1:7000/3",
      { place: "10.0.0.1:7000", host: "10.0.0.1", port: 7000, database: 3 },
    ],
    ["redis://[::1]:7000", { place: "[::1]:7000", host: "::1", port: 7000 }],
    ["rediss://a", { place: "a:6379", host: "a", port: 6379, isTls: true }],
    ["redis://:p%40ss@a", { place: "a:6379", host: "a", port: 6379, password: "p@ss" }],
    ["redis://me:pw@a", { place: "a:6379", host: "a", port: 6379, user: "me", password: "pw" }],
    ["redis+unix:///run/redis.sock", { place: "/run/redis.sock", path: "/run/redis.sock" }],
    [
      "redis+unix://:pw@localhost/run/r.sock?db=2",
      { place: "/run/r.sock", path: "/run/r.sock", password: "pw", database: 2 },
    ],
  ])("%s", (url, expected) => {
    const common = { host: "localhost", port: 0, isTls: false, database: 0 };
    expect(parseRedisUrl(url, none)).toEqual({ ...common, ...expected });
  });

  it("take the password of redis-cli when they have none", () => {
    const env = { REDISCLI_AUTH: "secret" };
    expect(parseRedisUrl("redis://a", env).password).toBe("secret");
    expect(parseRedisUrl("redis://:own@a", env).password).toBe("own");
  });

  it.each(["", "a:6379", "http://:pw@a", "redis+unix://", "redis://:pw@a:b", "redis://:pw@a/x"])(
    "refuse %s without telling a password",
    (url) => {
      const parse = () => parseRedisUrl(url, none);
      expect(parse).toThrow(expect.objectContaining({ code: "USAGE" }));
      expect(parse).not.toThrow("pw");
    },
  );
});

describe("protected", () => {
  it.each([
    ["redis+unix:///run/redis.sock", true],
    ["redis://localhost", true],
    ["redis://127.9.9.9:1", true],
    ["redis://[::1]", true],
    ["redis://10.0.0.1", false],
    ["redis://localhost.example", false],
    ["redis://127.0.0.1.example", false],
    ["redis://10.0.0.1:1/0", false],
    ["rediss://10.0.0.1", false],
    ["redis://:pw@10.0.0.1", true],
    ["redis://me@10.0.0.1", false],
  ])("%s: %s", (url, expected) => {
    expect(isProtected(url, {}, none)).toBe(expected);
  });

  it("by what the environment gives, and by a certificate", () => {
    expect(isProtected("redis://10.0.0.1", {}, { REDISCLI_AUTH: "pw" })).toBe(true);
    expect(isProtected("rediss://10.0.0.1", { certFile: "c", keyFile: "k" }, none)).toBe(true);
    expect(isProtected("redis://10.0.0.1", { certFile: "c" }, none)).toBe(false);
  });
});
