// A private key as a file under a password: encrypted PKCS #8 (RFC 5958) by PBES2 (RFC 8018 6.2), which OpenSSL reads.
//
// WebCrypto wraps the key itself, so that its plain bytes never come into the hands of any script.

const ROUNDS = 600_000; // OWASP Password Storage Cheat Sheet, for PBKDF2 with HMAC-SHA-256
const SALT = 16;
const BLOCK = 16; // of AES

/** The DER of each object identifier that is used. */
const OIDS = {
  pbes2: [0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x05, 0x0d], // 1.2.840.113549.1.5.13
  pbkdf2: [0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x05, 0x0c], // 1.2.840.113549.1.5.12
  hmacWithSha256: [0x06, 0x08, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x02, 0x09], // 1.2.840.113549.2.9
  aes256Cbc: [0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x01, 0x2a], // 2.16.840.1.101.3.4.1.42
};
const NULL = [0x05, 0x00];

/** *key*, which must be extractable, as PEM under *password*; the password counts as the bytes of its UTF-8. */
export async function sealed(key, password) {
  const salt = crypto.getRandomValues(new Uint8Array(SALT));
  const iv = crypto.getRandomValues(new Uint8Array(BLOCK));
  const secret = await crypto.subtle.importKey("raw", new TextEncoder().encode(password), "PBKDF2", false, ["deriveKey"]);
  const derivation = { name: "PBKDF2", hash: "SHA-256", salt, iterations: ROUNDS };
  const wrapping = await crypto.subtle.deriveKey(derivation, secret, { name: "AES-CBC", length: 256 }, false, ["wrapKey"]);
  const content = await crypto.subtle.wrapKey("pkcs8", key, wrapping, { name: "AES-CBC", iv });
  const pbkdf2 = sequence(OIDS.pbkdf2, sequence(octets(salt), integer(ROUNDS), sequence(OIDS.hmacWithSha256, NULL)));
  const cipher = sequence(OIDS.aes256Cbc, octets(iv));
  return pem(sequence(sequence(OIDS.pbes2, sequence(pbkdf2, cipher)), octets(new Uint8Array(content))));
}

// --- as much of DER as that needs (X.690 8 and 10) ---

const sequence = (...parts) => tagged(0x30, parts.flatMap((part) => [...part]));
const octets = (bytes) => tagged(0x04, bytes);

function integer(number) {
  const bytes = bigEndian(number);
  return tagged(0x02, bytes[0] < 0x80 ? bytes : [0, ...bytes]); // a leading bit would be a minus
}

function tagged(tag, content) {
  if (content.length < 0x80) return [tag, content.length, ...content];
  const length = bigEndian(content.length);
  return [tag, 0x80 | length.length, ...length, ...content];
}

function bigEndian(number) {
  const bytes = [];
  for (let rest = number; rest > 0; rest = Math.floor(rest / 256)) bytes.unshift(rest % 256);
  return bytes;
}

function pem(der) {
  const lines = btoa(String.fromCharCode(...der)).match(/.{1,64}/g);
  return ["-----BEGIN ENCRYPTED PRIVATE KEY-----", ...lines, "-----END ENCRYPTED PRIVATE KEY-----", ""].join("\n");
}
