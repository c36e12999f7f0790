// Makes src/gen from the schema. `--check` changes nothing and fails where src/gen is not what the schema says.
import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";

const ui = dirname(dirname(fileURLToPath(import.meta.url)));
const check = process.argv.includes("--check");
const committed = join(ui, "src/gen");
const out = check ? mkdtempSync(join(tmpdir(), "rollcall-gen-")) : committed;

const files = (folder) =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)))
    .sort();

if (!check) rmSync(out, { recursive: true, force: true });
const template = readFileSync(join(ui, "gen/buf.gen.yaml"), "utf8").replace("out: src/gen", `out: ${out}`);
execFileSync(join(ui, "node_modules/.bin/buf"), ["generate", "../proto/schema", "--template", template], {
  cwd: ui,
  stdio: "inherit",
});
// Proto JSON writes Google's own types as texts and objects: nothing of ours names them.
rmSync(join(out, "google"), { recursive: true, force: true });
for (const file of files(out)) {
  const path = join(out, file);
  const depth = "../".repeat(file.split("/").length);
  // Proto JSON carries bytes as base64 texts; a server stream is our own type, not a library's.
  const text = readFileSync(path, "utf8")
    .replaceAll("Uint8Array", "string")
    .replace('import { Observable } from "rxjs";', `import type { Observable } from "${depth}api/observable";`)
    .replace(/^\/\/ +(versions:|protoc.*)\n/gm, "");
  writeFileSync(path, text);
}
if (check) {
  const differs = files(out).filter((file) => {
    try {
      return readFileSync(join(committed, file), "utf8") !== readFileSync(join(out, file), "utf8");
    } catch {
      return true;
    }
  });
  const gone = files(committed).filter((file) => !files(out).includes(file));
  rmSync(out, { recursive: true, force: true });
  if (differs.length + gone.length > 0) {
    console.error(`src/gen is not what the schema says: ${[...differs, ...gone].join(", ")}. Run: npm run gen`);
    process.exit(1);
  }
}
