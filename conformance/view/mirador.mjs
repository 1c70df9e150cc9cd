// Opens a page with Mirador, waits until it draws, takes a picture, turns the page and takes another.
// node mirador.mjs DRIVER BROWSER PAGE PICTURE TITLE
import { createRequire } from "node:module";

const [folder, executablePath, page, picture, title] = process.argv.slice(2);
const { chromium } = createRequire(`${folder}/`)("playwright-core");

const browser = await chromium.launch({ executablePath, args: ["--no-sandbox"] });
try {
  const tab = await browser.newPage({ viewport: { width: 1200, height: 800 } });
  const failed = [];
  let images = 0;
  tab.on("response", (response) => {
    if (!response.ok() && !/favicon/.test(response.url())) failed.push(`${response.status()} ${response.url()}`);
    if (/default\.jpg$/.test(response.url())) images += 1;
  });
  tab.on("pageerror", (error) => failed.push(String(error)));
  await tab.goto(page);
  await tab.waitForSelector(`text=${title}`);
  const drawn = async (least) => {
    for (let tries = 0; images < least && tries < 200; tries += 1) await tab.waitForTimeout(100);
    await tab.waitForTimeout(2500);
  };
  await drawn(1);
  await tab.screenshot({ path: picture });
  const before = images;
  await tab.click('[aria-label="Next item"]');
  await drawn(before + 1);
  await tab.screenshot({ path: picture.replace(/\.png$/, "-next.png") });
  console.log(JSON.stringify({ failed, images }));
} finally {
  await browser.close();
}
