// The dashboard's only script.  What is `data-live` is asked for again and exchanged where it has changed; what somebody has
// opened stays open.  A `data-png` button saves its chart as a picture: the browser has drawn it already, so that the server
// needs no library for it.  The pages work without all this: they reload once a minute, and each chart has its CSV file.
"use strict";

const PATIENCE_MS = 8000;
const FOCUSED = "a, button, summary, [tabindex]";
const seconds = Number(document.body.dataset.liveSeconds);

const opened = (part) => [...part.querySelectorAll("details")].map((one) => one.open);

function exchange(old, fresh) {
  const open = opened(old);
  fresh.querySelectorAll("details").forEach((one, at) => (one.open = open[at] ?? one.open));
  if (old.innerHTML === fresh.innerHTML) return;
  const focused = [...old.querySelectorAll(FOCUSED)].indexOf(document.activeElement);
  const before = new Map([...old.querySelectorAll("[data-number]")].map((one) => [one.dataset.number, one.textContent]));
  old.replaceChildren(...fresh.childNodes);
  if (focused >= 0) old.querySelectorAll(FOCUSED)[focused]?.focus({ preventScroll: true });
  for (const one of old.querySelectorAll("[data-number]")) {
    one.classList.toggle("is-fresh", before.get(one.dataset.number) !== one.textContent);
  }
}

async function look() {
  try {
    if (!document.hidden) {
      const answer = await fetch(location.href, { cache: "no-store", headers: { "X-Triof-Look": "1" }, signal: AbortSignal.timeout(PATIENCE_MS) });
      if (answer.redirected) return location.reload(); // the login has ended
      if (answer.ok) {
        const page = new DOMParser().parseFromString(await answer.text(), "text/html");
        for (const old of document.querySelectorAll("[data-live]")) {
          const fresh = page.getElementById(old.id);
          if (fresh) exchange(old, fresh);
        }
      }
      document.body.classList.toggle("is-away", !answer.ok);
    }
  } catch {
    document.body.classList.add("is-away");
  }
  setTimeout(look, seconds * 1000);
}

if (seconds) setTimeout(look, seconds * 1000);

// ---- a chart as a picture ----

const SVG = "http://www.w3.org/2000/svg";
const SCALE = 2;
const LINE = 40;
const LETTER = 24;
const DRAWN = ["fill", "stroke", "stroke-width", "stroke-dasharray", "stroke-linecap", "stroke-linejoin", "opacity", "paint-order", "font-family", "font-size", "font-weight"];

// A copy that looks the same without the style sheet.
function styled(node) {
  const copy = node.cloneNode(true);
  const copies = [copy, ...copy.querySelectorAll("*")];
  [node, ...node.querySelectorAll("*")].forEach((one, at) => {
    const style = getComputedStyle(one);
    for (const name of DRAWN) copies[at].style.setProperty(name, style.getPropertyValue(name));
  });
  return copy;
}

function at(x, y, node) {
  const group = document.createElementNS(SVG, "g");
  group.setAttribute("transform", `translate(${x} ${y})`);
  group.append(node);
  return group;
}

function written(text, like, weight) {
  const node = document.createElementNS(SVG, "text");
  const style = getComputedStyle(like);
  node.textContent = text;
  for (const [name, value] of Object.entries({ fill: style.color, "font-family": style.fontFamily, "font-size": LETTER, "font-weight": weight })) node.setAttribute(name, value);
  return node;
}

// Title, legend and drawing below each other, as on the page.
function composed(figure) {
  const chart = figure.querySelector("svg.chart");
  const { width, height } = chart.viewBox.baseVal;
  const whole = document.createElementNS(SVG, "svg");
  const shapes = document.querySelector(".sprite pattern").closest("defs");
  const rest = figure.querySelector("figcaption p");
  const lines = [[figure.querySelector("h2"), 850], ...(rest ? [[rest, 600]] : [])];
  let y = 12;
  const background = document.createElementNS(SVG, "rect");
  whole.append(styled(shapes), background);
  for (const [line, weight] of lines) whole.append(at(16, (y += LINE) - 10, written(line.textContent, line, weight)));
  for (const entry of figure.querySelectorAll(".legend li")) {
    const key = styled(entry.querySelector("svg"));
    key.setAttribute("width", LETTER * (key.classList.contains("key--line") ? 2 : 1));
    key.setAttribute("height", LETTER);
    whole.append(at(16, (y += LINE) - LETTER - 6, key), at(76, y - 10, written(entry.textContent, entry, 600)));
  }
  const drawing = styled(chart);
  drawing.setAttribute("width", width);
  drawing.setAttribute("height", height);
  whole.append(at(0, y + 16, drawing));
  y += 16 + height + 12;
  for (const [name, value] of Object.entries({ width, height: y, fill: getComputedStyle(figure).backgroundColor })) background.setAttribute(name, value);
  for (const [name, value] of Object.entries({ viewBox: `0 0 ${width} ${y}`, width: width * SCALE, height: y * SCALE })) whole.setAttribute(name, value);
  return whole;
}

async function save(button) {
  const whole = composed(button.closest("figure"));
  const image = new Image();
  image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(new XMLSerializer().serializeToString(whole))}`;
  await image.decode();
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [image.width, image.height];
  canvas.getContext("2d").drawImage(image, 0, 0);
  const picture = await new Promise((done) => canvas.toBlob(done, "image/png"));
  const link = document.createElement("a");
  link.href = URL.createObjectURL(picture);
  link.download = button.dataset.png;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), PATIENCE_MS);
}

document.documentElement.classList.add("has-script");
document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-png]");
  if (button) save(button);
});
