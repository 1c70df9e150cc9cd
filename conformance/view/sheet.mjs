// Opens a contact sheet and says what it shows.
// node sheet.mjs DRIVER BROWSER FILE SEARCH PICTURE
import { createRequire } from "node:module";

const [folder, executablePath, file, search, picture] = process.argv.slice(2);
const { chromium } = createRequire(`${folder}/`)("playwright-core");

const browser = await chromium.launch({ executablePath, args: ["--no-sandbox"] });
try {
  const tab = await browser.newPage({ viewport: { width: 1100, height: 800 } });
  const failed = [];
  const asked = [];
  tab.on("pageerror", (error) => failed.push(String(error)));
  tab.on("console", (message) => message.type() === "error" && failed.push(message.text()));
  tab.on("request", (request) => /^(file|data):/.test(request.url()) || asked.push(request.url()));
  const start = Date.now();
  await tab.goto(`file://${file}`, { waitUntil: "commit" });
  await tab.waitForSelector("#rows li");
  const opened = Date.now() - start;
  // Pictures come after the rows.
  await tab.waitForLoadState("load");
  const shown = await tab.locator("#rows li").count();
  const number = async () => Number((await tab.textContent("#page")).split(" ")[0]);
  const rows = await number();
  const first = await tab.evaluate("[...document.querySelectorAll('#rows li')].slice(0, 3).map((line) => line.className)");
  await tab.screenshot({ path: picture });
  // How long it takes from a key or a choice until the rows are others.
  const change = (id, value) =>
    tab.evaluate(
      ([id, value]) => {
        const start = performance.now();
        const input = document.getElementById(id);
        input.value = value;
        input.dispatchEvent(new Event("input"));
        document.body.offsetHeight;
        return performance.now() - start;
      },
      [id, value],
    );
  const times = [await change("search", search)];
  const searched = await number();
  await tab.waitForTimeout(300);
  const drawn = await tab.evaluate("[...document.querySelectorAll('#rows img')].filter((i) => i.naturalWidth > 20).length");
  times.push(await change("search", ""));
  times.push(await change("status", "failed"));
  const filtered = await number();
  times.push(await change("status", ""), await change("order", "slow"));
  const bars = await tab.locator("#plot rect").count();
  const slowest = await tab.locator("#slowest li").count();
  const hurt = await tab.evaluate("window.hurt !== undefined");
  const answered = Math.round(Math.max(...times));
  console.log(JSON.stringify({ failed, asked, opened, shown, rows, first, searched, drawn, filtered, bars, slowest, hurt, answered }));
} finally {
  await browser.close();
}
