// Builds the front end: src/ and htmx become dist/, each file named after its content, each with a compressed twin.
//
// dist/manifest.json says which name stands for which file; the template tag `asset` reads it.
// htmx comes out of the Python package django-htmx, so that its version is locked in one place.

import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { brotliCompressSync, gzipSync } from "node:zlib";
import { build } from "esbuild";

const here = dirname(fileURLToPath(import.meta.url));
const target = ["chrome123", "edge123", "firefox120", "safari17.5"]; // the first ones that know light-dark()

/** Where django-htmx lives, asked of the Python that runs the portal: PYTHON, else the checkout's own. */
function htmxFile() {
  const own = join(here, "..", ".venv", "bin", "python");
  const python = process.env.PYTHON || (existsSync(own) ? own : "python3");
  const find = "import importlib.util as u; print(u.find_spec('django_htmx').submodule_search_locations[0])";
  const folder = execFileSync(python, ["-c", find], { encoding: "utf8" }).trim();
  return join(folder, "static", "django_htmx", "htmx-2.min.js");
}

async function bundled(entry, how = { format: "iife", legalComments: "none" }) {
  const result = await build({ entryPoints: [join(here, "src", entry)], bundle: true, minify: true, write: false, target, ...how });
  return Buffer.from(result.outputFiles[0].contents);
}

const drawn = (name) => readFile(join(here, "src", name)).then((text) => Buffer.from(text.toString().replace(/>\s+</g, "><").trim()));

const files = {
  "portal.css": await bundled("portal.css"),
  "portal.js": await bundled("portal.js"),
  "key.js": await bundled("key/maker.js", { format: "esm", legalComments: "eof" }), // a page asks for it when it is wanted
  "htmx.js": await readFile(htmxFile()),
  "icons.svg": await drawn("icons.svg"),
  "favicon.svg": await drawn("favicon.svg"),
};

// Built beside the old folder and exchanged at the end: a server that is running never sees half of it.
const fresh = join(here, "dist.new");
const dist = join(here, "dist");
await rm(fresh, { recursive: true, force: true });
await mkdir(fresh, { recursive: true });
const manifest = {};
for (const [name, content] of Object.entries(files)) {
  const digest = createHash("sha256").update(content).digest("hex").slice(0, 12);
  const hashed = name.replace(/(\.\w+)$/, `-${digest}$1`);
  manifest[name] = hashed;
  const zipped = gzipSync(content, { level: 9 });
  await writeFile(join(fresh, hashed), content);
  await writeFile(join(fresh, `${hashed}.gz`), zipped);
  await writeFile(join(fresh, `${hashed}.br`), brotliCompressSync(content));
  console.log(`${hashed.padEnd(32)} ${String(content.length).padStart(7)} bytes, ${zipped.length} gzipped`);
}
await writeFile(join(fresh, "manifest.json"), `${JSON.stringify(manifest, null, 2)}\n`);
await rm(dist, { recursive: true, force: true });
await rename(fresh, dist);
