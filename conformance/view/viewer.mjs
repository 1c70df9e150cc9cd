// Opens the page of `imgmill view` and says what it shows.
// node viewer.mjs DRIVER BROWSER PAGE PICTURE image|error|set
import { createRequire } from "node:module";

const [folder, executablePath, page, picture, what] = process.argv.slice(2);
const { chromium } = createRequire(`${folder}/`)("playwright-core");

const browser = await chromium.launch({ executablePath, args: ["--no-sandbox"] });
try {
  const tab = await browser.newPage({ viewport: { width: 1100, height: 650 } });
  const failed = [];
  tab.on("response", (response) => {
    if (!response.ok() && !/favicon/.test(response.url())) failed.push(`${response.status()} ${response.url()}`);
  });
  tab.on("pageerror", (error) => failed.push(String(error)));
  tab.on("console", (message) => {
    if (message.type() === "error" && !/favicon/.test(message.location().url)) failed.push(message.text());
  });
  // The page's own policy forbids what the driver waits with.
  const until = async (condition) => {
    for (let tries = 0; tries < 300; tries += 1) {
      if (await tab.evaluate(condition)) return;
      await tab.waitForTimeout(100);
    }
    throw new Error(`never: ${condition}`);
  };
  await tab.goto(page);
  if (what === "error") {
    await tab.waitForSelector("#error:not([hidden])");
    if (await tab.evaluate("viewer === null")) {
      console.log(JSON.stringify({ error: await tab.textContent("#error") }));
    } else {
      await until("!/HTTP|load/.test(document.getElementById('error').textContent)");
      console.log(JSON.stringify({ error: await tab.textContent("#error") }));
    }
  } else if (what === "set") {
    await tab.click("#list button:has(span):has-text('photo_000001.jpg')");
    await until(
      "[...document.querySelectorAll('#beside img')].length === 3 && " +
        "[...document.querySelectorAll('#beside img')].every((image) => image.complete)",
    );
    const figures = await tab.locator("#beside figure").count();
    const drawn = await tab.evaluate("[...document.querySelectorAll('#beside img')].filter((i) => i.naturalWidth > 0).length");
    console.log(JSON.stringify({ figures, drawn, failed }));
  } else {
    await until("viewer?.world.getItemCount() > 0 && viewer.world.getItemAt(0).getFullyLoaded()");
    await tab.evaluate("viewer.viewport.goHome(true)");
    // What it wants now it has not asked for before it was drawn once more, and it blends tiles in.
    await tab.waitForTimeout(700);
    await until("viewer.world.getItemAt(0).getFullyLoaded()");
    await tab.waitForTimeout(700);
    await tab.screenshot({ path: picture });
    // Where the image is on the page.
    const at = await tab.evaluate(() => {
      const item = viewer.world.getItemAt(0);
      const area = viewer.viewport.viewportToViewerElementRectangle(item.getBounds(true));
      const box = viewer.element.getBoundingClientRect();
      return { x: box.x + area.x, y: box.y + area.y, width: area.width, height: area.height };
    });
    // Closer, where full-size tiles are wanted.
    await tab.evaluate("viewer.viewport.zoomTo(viewer.world.getItemAt(0).imageToViewportZoom(1), null, true)");
    await tab.waitForTimeout(300);
    await until("viewer.world.getItemAt(0).getFullyLoaded()");
    const closest = await tab.evaluate(() => {
      const item = viewer.world.getItemAt(0);
      const levels = item.lastDrawn.map((drawn) => (drawn.tile ?? drawn).level);
      return item.source.maxLevel - Math.max(...levels);
    });
    console.log(JSON.stringify({ failed, at, closest }));
  }
} finally {
  await browser.close();
}
