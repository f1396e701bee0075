// Key pairs made by WebCrypto, and the certificate signing request that each signs for itself.

import "reflect-metadata"; // @peculiar/x509 needs it and leaves it to us
import { Pkcs10CertificateRequestGenerator } from "@peculiar/x509";

const curve = (namedCurve, hash) => ({ name: "ECDSA", namedCurve, hash });
const rsa = (modulusLength) => ({
  name: "RSASSA-PKCS1-v1_5", modulusLength, hash: "SHA-256", publicExponent: new Uint8Array([1, 0, 1]),
});

/** What WebCrypto is asked for, by the portal's name for the kind; the hash is no weaker than the curve. */
const KINDS = {
  "ec-p256": curve("P-256", "SHA-256"),
  "ec-p384": curve("P-384", "SHA-384"),
  "rsa-2048": rsa(2048),
  "rsa-3072": rsa(3072),
  "rsa-4096": rsa(4096),
};

/** A pair that can be exported once: the file is all that ever holds the private key outside WebCrypto. */
export function makePair(kind) {
  return crypto.subtle.generateKey(KINDS[kind], true, ["sign", "verify"]);
}

/** The CSR of *pair* in PEM.  It has no names: what the certificate says is decided by the request's other answers. */
export async function signedRequest(pair, kind) {
  const { name, hash } = KINDS[kind];
  const csr = await Pkcs10CertificateRequestGenerator.create({ keys: pair, signingAlgorithm: { name, hash } });
  return `${csr.toString("pem")}\n`;
}
