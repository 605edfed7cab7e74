// Addresses: what is one, what is not and why, and which may go without TLS.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  type Address,
  formatAddress,
  MAX_SOCKET_PATH_BYTES,
  parseAddress,
  refuseUnprotected,
  staysOnThisMachine,
} from "../../src/transport/address.ts";

describe("address", () => {
  it.each<[string, Address]>([
    ["10.77.0.2:7700", { kind: "tcp", host: "10.77.0.2", port: 7700 }],
    ["[::1]:7700", { kind: "tcp", host: "::1", port: 7700 }],
    ["[fe80::1%eth0]:1", { kind: "tcp", host: "fe80::1%eth0", port: 1 }],
    ["node-7.example.org:0", { kind: "tcp", host: "node-7.example.org", port: 0 }],
    ["localhost:65535", { kind: "tcp", host: "localhost", port: 65_535 }],
    ["unix:/run/pf/web.sock", { kind: "unix", path: "/run/pf/web.sock" }],
    ["unix:a b:c", { kind: "unix", path: "a b:c" }],
  ])("reads %s and writes it back", (text, address) => {
    expect(parseAddress(text)).toEqual(address);
    expect(formatAddress(address)).toBe(text);
  });

  it.each([
    ["", "HOST:PORT"],
    ["7700", "the port is missing"],
    ["example.org", "the port is missing"],
    ["example.org:", "HOST:PORT"],
    ["example.org:http", "HOST:PORT"],
    ["example.org:65536", "port 65536 is over 65535"],
    [":7700", "the host is missing"],
    ["::1:7700", "stands in brackets"],
    ["[10.0.0.1]:7700", "[10.0.0.1] is not an IPv6 address"],
    ["[]:7700", "[] is not an IPv6 address"],
    ["10.0.0.256:7700", "10.0.0.256 is not an IPv4 address"],
    ["10.0:7700", "10.0 is not an IPv4 address"],
    ["a b:7700", "a b is not the name of a host"],
    ["-a:7700", "-a is not the name of a host"],
    ["unix:", "the path is missing"],
    [`unix:/${"x".repeat(107)}`, "the path has 108 bytes, a socket's may have 107"],
    [`unix:/${"ü".repeat(54)}`, "the path has 109 bytes"],
    ["unix:a\0b", "NUL"],
  ])("refuses %j and says why", (text, reason) => {
    const attempt = () => parseAddress(text);
    expect(attempt).toThrow(expect.objectContaining({ code: "USAGE" }));
    expect(attempt).toThrow(`"${text}" is not an address: `);
    expect(attempt).toThrow(reason);
  });

  it("takes the longest path of a socket", () => {
    const path = `/${"x".repeat(MAX_SOCKET_PATH_BYTES - 1)}`;
    expect(parseAddress(`unix:${path}`)).toEqual({ kind: "unix", path });
  });

  it("gives an address or a USAGE error for any text", () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        try {
          expect(formatAddress(parseAddress(text))).toBe(text);
        } catch (error) {
          // "host:007" is written back as "host:7".
          if (/:0\d+$/.test(text)) return;
          expect(error).toMatchObject({ code: "USAGE" });
        }
      }),
    );
  });

  it.each([
    ["127.0.0.1:1", true],
    ["127.9.9.9:1", true],
    ["localhost:1", true],
    ["[::1]:1", true],
    ["unix:x", true],
    ["0.0.0.0:1", false],
    ["[::]:1", false],
    ["127.example.org:1", false],
    ["10.77.0.2:1", false],
  ])("knows whether %s stays on this machine", (text, stays) => {
    const address = parseAddress(text);
    expect(staysOnThisMachine(address)).toBe(stays);
    const attempt = () => refuseUnprotected("--listen", address, { tls: false, insecure: false });
    if (stays) attempt();
    else expect(attempt).toThrow(`--listen ${text}: refused without TLS`);
    refuseUnprotected("--listen", address, { tls: true, insecure: false });
    refuseUnprotected("--listen", address, { tls: false, insecure: true });
  });
});
