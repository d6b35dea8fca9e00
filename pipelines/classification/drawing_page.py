"""The page on which a person draws, and sees what a classifier takes it for."""

PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline';
  script-src 'unsafe-inline'; connect-src 'self'; img-src data:">
<link rel="icon" href="data:,"><title>Draw: tagbox</title><style>
:root { --ink: #1c2430; --soft: #5b6675; --line: #dfe4ea; --paper: #fff; --back: #f4f6f8; --mark: #059669;
  color-scheme: light dark }
@media (prefers-color-scheme: dark) { :root { --ink: #e6eaf0; --soft: #9aa6b5; --line: #303a47; --paper: #19212b;
  --back: #10161d; --mark: #34d399 } }
* { box-sizing: border-box }
body { margin: 0; background: var(--back); color: var(--ink); font: 16px/1.5 system-ui, sans-serif }
main { max-width: 900px; margin: 0 auto; padding: 20px 16px; display: grid; gap: 18px;
  grid-template-columns: repeat(auto-fit, minmax(min(320px, 100%), 1fr)) }
h1 { font-size: 1.3rem; margin: 0; grid-column: 1 / -1 }
canvas { width: 100%; aspect-ratio: 1; background: #fff; border: 1px solid var(--line); border-radius: 10px;
  touch-action: none; cursor: crosshair; display: block }
button { font: inherit; padding: 6px 14px; border: 1px solid var(--line); border-radius: 8px; background: var(--paper);
  color: var(--ink); cursor: pointer } .buttons { display: flex; gap: 8px; margin-top: 10px }
ol { list-style: none; margin: 0; padding: 0 } li { margin: 0 0 8px; overflow-wrap: anywhere }
li span { float: right; font-variant-numeric: tabular-nums }
meter { width: 100%; height: 10px } p { color: var(--soft); margin: 0 0 10px }
</style></head><body><main>
<h1>Draw something</h1>
<div><canvas id="canvas" width="512" height="512" aria-label="drawing area"></canvas>
<div class="buttons"><button id="undo" type="button">Undo</button><button id="clear" type="button">Clear</button></div>
</div>
<div><p id="words" role="status">Draw with the mouse or a finger; the answer comes after each stroke.</p>
<ol id="answers"></ol></div>
</main><script>
"use strict";
const canvas = document.getElementById("canvas"), pen = canvas.getContext("2d");
const words = document.getElementById("words"), list = document.getElementById("answers");
let strokes = [], current = null, asked = 0;
const START = words.textContent;

function place(event) {
  const frame = canvas.getBoundingClientRect();
  const within = share => Math.min(255, Math.max(0, 255 * share));
  return [within((event.clientX - frame.left) / frame.width), within((event.clientY - frame.top) / frame.height)];
}
function draw() {
  pen.clearRect(0, 0, canvas.width, canvas.height);
  const scale = canvas.width / 255;
  pen.lineWidth = 16; pen.lineCap = pen.lineJoin = "round"; pen.strokeStyle = "#111";
  for (const stroke of current ? [...strokes, current] : strokes) {
    pen.beginPath();
    stroke.forEach(([x, y], index) => pen[index ? "lineTo" : "moveTo"](x * scale, y * scale));
    if (stroke.length === 1) pen.lineTo(stroke[0][0] * scale + 0.1, stroke[0][1] * scale);
    pen.stroke();
  }
}
async function ask() {
  const number = ++asked;
  if (!strokes.length) { list.replaceChildren(); words.textContent = START; return; }
  let answer;
  try {
    const reply = await fetch("answer", { method: "POST", headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ strokes }) });
    answer = await reply.json();
    if (!reply.ok) throw new Error(answer.error);
  } catch (error) {
    if (number === asked) { list.replaceChildren(); words.textContent = "No answer: " + error.message; }
    return;
  }
  if (number !== asked) return;
  words.textContent = !answer.tags ? "This looks like " + answer.answers[0].class + "."
    : answer.tags.length ? "Tags: " + answer.tags.join(", ") + "." : "No tag reaches its threshold.";
  list.replaceChildren(...answer.answers.map(one => {
    const [item, share, bar] = ["li", "span", "meter"].map(name => document.createElement(name));
    share.textContent = (100 * one.score).toFixed(1) + " %";
    bar.value = one.score; bar.setAttribute("aria-label", one.class);
    item.append(one.class, share, bar);
    return item;
  }));
}
canvas.addEventListener("pointerdown", event => {
  if (event.button) return;
  canvas.setPointerCapture(event.pointerId); current = [place(event)]; draw(); event.preventDefault();
});
canvas.addEventListener("pointermove", event => {
  if (!current) return;
  for (const one of event.getCoalescedEvents ? event.getCoalescedEvents() : [event]) current.push(place(one));
  draw();
});
function lift() { if (current) { strokes.push(current); current = null; draw(); ask(); } }
canvas.addEventListener("pointerup", lift);
canvas.addEventListener("pointercancel", lift);
document.getElementById("clear").addEventListener("click", () => { strokes = []; draw(); ask(); });
document.getElementById("undo").addEventListener("click", () => { strokes.pop(); draw(); ask(); });
</script></body></html>
"""
