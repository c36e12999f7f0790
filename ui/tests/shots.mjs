// Pictures of the consoles' pages over the fake program, in a plain browser: `npm run build:fake && node tests/shots.mjs
// OUT provider /schools light`. For looking at; the real windows have their own pictures (`cargo xtask screenshots`).

import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { dirname, extname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";

const [out, app, place = "/", mode = "light", size = "1280x832"] = process.argv.slice(2);
if (!out || !app) throw new Error("usage: node tests/shots.mjs OUT.png provider|school [PLACE] [light|dark] [WxH]");
const dist = join(dirname(dirname(fileURLToPath(import.meta.url))), "dist-fake", app);
const types = { ".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".woff2": "font/woff2" };
const server = createServer(async (request, response) => {
  const path = normalize(new URL(request.url, "http://x").pathname);
  try {
    const body = await readFile(join(dist, path === "/" ? "index.html" : path));
    response.writeHead(200, { "content-type": types[extname(path)] ?? "text/html" }).end(body);
  } catch {
    response.writeHead(404).end();
  }
});
await new Promise((ready) => server.listen(0, "127.0.0.1", ready));
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
  ],
});
const [width, height] = size.split("x").map(Number);
const page = await browser.newPage({ viewport: { width, height }, colorScheme: mode });
page.on("console", (line) => line.type() === "error" && console.error(line.text()));
page.on("pageerror", (error) => console.error(error.message));
await page.goto(`http://127.0.0.1:${server.address().port}/#${place}`);
await page.waitForLoadState("networkidle");
await page.waitForTimeout(700);
await page.screenshot({ path: out });
await browser.close();
server.close();
