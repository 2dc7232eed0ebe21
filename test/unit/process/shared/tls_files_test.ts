/** Certificate files that do not fit are told by name before anything depends on them: by check, starts and reloads. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { readTlsFiles, tlsWarnings } from "../../../../src/process/shared/tls_files.ts";
import {
  chainedCertificate,
  expiredCertificate,
  intermediateCertificate,
  localhostCertificate,
  otherAuthority,
  rootAuthority,
  testAuthority,
  wildcardCertificate,
} from "../../../support/certificates.ts";
import { MemorySystem } from "../../../support/memory_system.ts";
import { PlaneLab } from "../../../support/plane_lab.ts";

const NOW = Date.parse("2025-06-01T00:00:00Z");
const JUNK = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
const { cert, key } = localhostCertificate;
const chained = chainedCertificate;
const crlf = (text: string) => text.replaceAll("\n", "\r\n");

interface Texts {
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
}

async function judged(texts: Texts): Promise<{ readonly faults: string[]; readonly warnings: string[] }> {
  const system = new MemorySystem({ files: { ...texts } });
  const named = (option: "ca" | "cert" | "key") => texts[option] === undefined ? null : option;
  const files = await readTlsFiles(system, { ca: named("ca"), cert: named("cert"), key: named("key") });
  const lines = (findings: readonly { option: string; words: string }[]) =>
    findings.map(({ option, words }) => `${option} ${words}`);
  return { faults: lines(files.faults), warnings: lines(tlsWarnings(files, NOW)) };
}

const fine: readonly (readonly [what: string, texts: Texts])[] = [
  ["a certificate and its key", { cert, key }],
  ["text around them, and ends of lines of Windows", {
    cert: crlf("Issuer: who\n" + cert + "\nmore"),
    key: crlf(key),
  }],
  ["both in one file", { cert: key + cert, key: key + cert }],
  ["a chain", { cert: chained.cert + intermediateCertificate, key: chained.key }],
  ["a chain with its root", {
    cert: chained.cert + intermediateCertificate + rootAuthority,
    key: chained.key,
  }],
  ["authorities", { ca: testAuthority + otherAuthority }],
  ["an authority that is over beside one that is not", { ca: expiredCertificate.cert + testAuthority }],
];

for (const [what, texts] of fine) {
  test(`certificate files without a fault: ${what}`, async () => {
    assert.deepEqual(await judged(texts), { faults: [], warnings: [] });
  });
}

const bad: readonly (readonly [what: string, texts: Texts, faults: readonly string[]])[] = [
  ["nothing", { cert: "", key: "" }, [
    "cert has no certificate in PEM format",
    "key has no private key in PEM format",
  ]],
  ["the two exchanged", { cert: key, key: cert }, [
    "cert has no certificate in PEM format",
    "key has no private key in PEM format",
  ]],
  ["junk in the armour", { cert: JUNK, key }, ["cert has a certificate that cannot be read"]],
  ["junk further down", { cert: cert + JUNK, key }, [
    "cert has 2 certificates, of which number 2 cannot be read",
  ]],
  ["the end is missing", { cert: cert.slice(0, 300), key }, ["cert has a certificate that cannot be read"]],
  ["junk in the armour of the key", {
    cert,
    key: "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
  }, ["key has a private key that cannot be read"]],
  ["the key of another certificate", { cert, key: wildcardCertificate.key }, [
    "key is not the key of the certificate (CN=localhost)",
  ]],
  ["the intermediate comes first", { cert: intermediateCertificate + chained.cert, key: chained.key }, [
    "cert begins with another certificate (CN=Sluice test intermediate) than that of the key, which is number 2: " +
    "it must be the first, its issuer next",
  ]],
  ["junk among authorities", { ca: testAuthority + JUNK + otherAuthority }, [
    "ca has 3 certificates, of which number 2 cannot be read",
  ]],
];

for (const [what, texts, faults] of bad) {
  test(`certificate files that do not fit: ${what}`, async () => {
    assert.deepEqual((await judged(texts)).faults, faults);
  });
}

const doubtful: readonly (readonly [what: string, texts: Texts, warnings: readonly string[]])[] = [
  ["expired", { cert: expiredCertificate.cert, key: expiredCertificate.key }, [
    "cert expired on 2024-02-01T00:00:00.000Z (CN=expired)",
  ]],
  ["a chain that does not lead on", { cert: cert + otherAuthority, key }, [
    "cert has a chain that is broken: certificate 2 (CN=Another test CA) is not the issuer of certificate 1 (CN=localhost)",
  ]],
  ["the only authority is over", { ca: expiredCertificate.cert }, [
    "ca expired on 2024-02-01T00:00:00.000Z (CN=expired)",
  ]],
];

for (const [what, texts, warnings] of doubtful) {
  test(`certificate files that others may refuse: ${what}`, async () => {
    assert.deepEqual(await judged(texts), { faults: [], warnings });
  });
}

const UPSTREAM = `to: https://h:3001
upstream_tls: {ca: /ca, cert: /cert, key: /key}
`;

test("a reload tries the files of upstream_tls before they count", async () => {
  const lab = await PlaneLab.start("to: [3001]\n");
  const files = { "/ca": testAuthority, "/cert": cert, "/key": key };
  const put = (changed: Record<string, string>) => {
    for (const [path, text] of Object.entries({ ...files, ...changed })) lab.system.files.set(path, text);
  };
  put({});
  lab.yaml = UPSTREAM;
  assert.ok((await lab.done(lab.plane.reload())).ok);
  const before = lab.plane.loaded;
  const wrong: readonly (readonly [changed: Record<string, string>, problem: string])[] = [
    [
      { "/key": wildcardCertificate.key },
      "upstream_tls.key: is not the key of the certificate (CN=localhost)",
    ],
    [{ "/cert": JUNK }, "upstream_tls.cert: has a certificate that cannot be read"],
    [{ "/ca": JUNK }, "upstream_tls.ca: has a certificate that cannot be read"],
    [{ "/ca": "" }, "upstream_tls.ca: has no certificate in PEM format"],
  ];
  for (const [changed, problem] of wrong) {
    put(changed);
    const outcome = await lab.done(lab.plane.reload());
    assert.ok(!outcome.ok);
    assert.equal(outcome.code, "invalid");
    assert.match(outcome.problems?.join("\n") ?? "", new RegExp(`: .*${problem.replace(/[().]/g, "\\$&")}$`));
    // What serves goes on, and can be swapped: the files are read once more for that.
    assert.equal(lab.plane.loaded, before);
  }
  put({});
  assert.ok((await lab.done(lab.plane.reload())).ok);
  await lab.stop();
});

test("a swap tries the files of upstream_tls before they count", async () => {
  const lab = await PlaneLab.start("to: [3001]\n");
  lab.system.files.set("/ca", testAuthority).set("/cert", cert).set("/key", key);
  lab.yaml = UPSTREAM;
  assert.ok((await lab.done(lab.plane.reload())).ok);
  lab.system.files.set("/key", wildcardCertificate.key);
  const outcome = await lab.done(lab.plane.swap(null, ["https://h:3002"], null, 1000, 1000));
  assert.ok(!outcome.ok);
  const said = [outcome.message, ...outcome.problems ?? []].join("\n");
  assert.match(
    said,
    /upstream_tls\.key of default: \/key is not the key of the certificate \(CN=localhost\)/,
  );
  await lab.stop();
});
