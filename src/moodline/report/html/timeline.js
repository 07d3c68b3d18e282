// The timeline: waveform, and a lane for each speaker, on a canvas; below it a map of the whole when it is zoomed.
const AXIS = 20, WAVE = 76, LANE = 30, GAP = 4, LEAST = 2, PAPER = 720;
const line = $("line"), map = $("map");
let peaks = null; // of the waveform, as bytes
let scheduled = false;

/** Whether a turn has a place on the timeline: where some turns have times, those without any have none. */
const onLine = (place) => !state.talk.timed || state.talk.turns[place].a !== null;
const start = (place) => (state.talk.timed ? state.talk.turns[place].a : place);
const end = (place) => (state.talk.timed ? state.talk.turns[place].b : place + 1);
const length = () => Math.max(state.talk.length, 1e-3);

function openTimeline() {
  const wave = state.talk.wave;
  peaks = wave ? Uint8Array.from(atob(wave.peaks), (c) => c.charCodeAt(0)) : null;
  const most = state.talk.speakers.map((s, n) => `${named(n)} ${s.turns} turns`).join(", ");
  line.setAttribute("aria-label", `Timeline of ${state.talk.turns.length} turns: ${most}. The list below holds the same.`);
  show(0, length());
}

/** Show this stretch, moved and cut so that it lies inside the conversation. */
function show(from, to) {
  const least = Math.min(length(), state.talk.timed ? LEAST : 3);
  const size = Math.min(length(), Math.max(least, to - from));
  state.from = Math.max(0, Math.min(length() - size, from));
  state.to = state.from + size;
  map.hidden = size > length() * 0.999;
  redraw();
}

function zoom(factor, about) {
  const middle = about ?? (state.selected >= 0 && inView(state.selected) ? start(state.selected) : (state.from + state.to) / 2);
  show(middle - (middle - state.from) * factor, middle + (state.to - middle) * factor);
}

const inView = (place) => onLine(place) && end(place) > state.from && start(place) < state.to;

/** Move the view so that a turn is in it; its size stays. */
function reveal(place) {
  if (!onLine(place)) return;
  const size = state.to - state.from;
  if (start(place) < state.from || end(place) > state.to) show(start(place) - size * 0.2, start(place) + size * 0.8);
}

function redraw() {
  if (scheduled) return;
  scheduled = true;
  requestAnimationFrame(() => { scheduled = false; draw(); });
}

/** The turns that have a place, in the order of their starts. */
function ordered() {
  if (!state.talk.order) {
    state.talk.order = state.talk.turns.map((_, n) => n).filter(onLine).sort((a, b) => start(a) - start(b));
  }
  return state.talk.order;
}

/** A canvas made ready for its place; with a scale, for paper, whose width is not that of the screen. */
function fitted(canvas, height, scale) {
  const ratio = scale || window.devicePixelRatio || 1;
  const width = scale ? PAPER : canvas.clientWidth || PAPER;
  canvas.style.height = `${height}px`;
  canvas.width = Math.round(width * ratio);
  canvas.height = Math.round(height * ratio);
  const pen = canvas.getContext("2d");
  pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  pen.clearRect(0, 0, width, height);
  return [pen, width];
}

const gutter = (width) => (width < 520 ? 64 : 110);
const top_ = () => AXIS + (peaks ? WAVE + GAP : 0);
const height = () => top_() + state.talk.speakers.length * (LANE + GAP);

function draw(scale) {
  const css = getComputedStyle(document.documentElement);
  const paint = Object.fromEntries(["ink", "quiet", "rule", "faint", "accent", "card", "wave"].map((n) => [n, css.getPropertyValue(`--${n}`).trim()]));
  const [pen, width] = fitted(line, height(), scale);
  const left = gutter(width), px = (width - left) / (state.to - state.from);
  const x = (time) => left + (time - state.from) * px;
  pen.font = "12px system-ui, sans-serif";
  pen.textBaseline = "middle";
  axis(pen, paint, x, px, width, left);
  names(pen, paint, width, left);
  pen.save();
  pen.beginPath();
  pen.rect(left, 0, width - left, height());
  pen.clip();
  if (peaks) waveform(pen, paint, left, width, px);
  for (const place of ordered()) if (inView(place)) block(pen, paint, place, x);
  if (state.selected >= 0 && onLine(state.selected)) outline(pen, paint, state.selected, x);
  pen.restore();
  if (!map.hidden) overview(paint);
  moveHead();
}

/** The line that goes along with the sound; it is moved alone, since drawing thousands of turns takes its time. */
function moveHead() {
  const at = position(), width = line.clientWidth, left = gutter(width);
  $("head").hidden = at === null || at < state.from || at > state.to;
  if (at !== null) $("head").style.transform = `translateX(${left + ((at - state.from) / (state.to - state.from)) * (width - left)}px)`;
}

function axis(pen, paint, x, px, width, left) {
  const steps = state.talk.timed ? [1, 2, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 7200] : [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000];
  const step = steps.find((s) => s * px > 64) || steps[steps.length - 1];
  pen.fillStyle = paint.quiet;
  pen.strokeStyle = paint.faint;
  pen.textAlign = "center";
  for (let at = Math.ceil(state.from / step) * step; at <= state.to; at += step) {
    const place = x(at);
    pen.beginPath(); pen.moveTo(place, AXIS - 3); pen.lineTo(place, height()); pen.stroke();
    if (place < left + 14 || place > width - 18) continue;
    if (state.talk.timed) pen.fillText(clock(at), place, 8);
    else if (at < length()) pen.fillText(String(at + 1), place + px / 2, 8);
  }
  pen.textAlign = "left";
  if (!state.talk.timed) pen.fillText("turn", 0, 8);
}

function names(pen, paint, width, left) {
  state.talk.speakers.forEach((_, n) => {
    const y = top_() + n * (LANE + GAP);
    pen.fillStyle = paint.faint;
    pen.fillRect(left, y, width - left, LANE);
    pen.fillStyle = paint.ink;
    let name = named(n);
    while (name.length > 1 && pen.measureText(name).width > left - 8) name = `${name.slice(0, -2)}…`;
    pen.fillText(name, 0, y + LANE / 2);
  });
}

/** One bar for each pixel, in the colour of the turn that sounds there. */
function waveform(pen, paint, left, width, px) {
  const rate = state.talk.wave.rate, middle = AXIS + WAVE / 2;
  const colours = new Array(Math.ceil(width - left)).fill(null);
  for (const place of ordered()) {
    if (!inView(place)) continue;
    const low = Math.max(0, Math.floor((start(place) - state.from) * px)), high = Math.min(colours.length, Math.ceil((end(place) - state.from) * px));
    for (let n = low; n < high; n += 1) colours[n] = place;
  }
  for (let n = 0; n < colours.length; n += 1) {
    const a = Math.floor((state.from + n / px) * rate), b = Math.max(a + 1, Math.floor((state.from + (n + 1) / px) * rate));
    let most = 0;
    for (let k = a; k < b && k < peaks.length; k += 1) if (peaks[k] > most) most = peaks[k];
    const tall = Math.max(1, (most / 255) * (WAVE - 4));
    const place = colours[n];
    pen.globalAlpha = place === null || state.shown[place] ? 1 : 0.25;
    pen.fillStyle = place === null ? paint.wave : lookOf(state.talk.turns[place]).colour;
    pen.fillRect(left + n, middle - tall / 2, 1, tall);
  }
  pen.globalAlpha = 1;
}

/** A turn in its speaker's lane: the paler the less confident, hatched where the model abstained. */
function block(pen, paint, place, x) {
  const turn = state.talk.turns[place], own = lookOf(turn);
  const a = x(start(place)), wide = Math.max(1.5, x(end(place)) - a - (x(end(place)) - a > 4 ? 1 : 0));
  const y = top_() + turn.s * (LANE + GAP);
  const faint = state.shown[place] ? 1 : 0.15;
  if (scored()) { scoreBlock(pen, paint, turn, a, y, wide, faint); return; }
  pen.globalAlpha = faint * (0.35 + 0.65 * confidence(turn));
  pen.fillStyle = own.colour;
  pen.fillRect(a, y, wide, LANE);
  pen.globalAlpha = faint;
  if (turn.u) hatch(pen, paint, a, y, wide);
  if (wide > 6) { pen.strokeStyle = paint.quiet; pen.setLineDash(turn.u ? [3, 2] : []); pen.strokeRect(a + 0.5, y + 0.5, wide - 1, LANE - 1); pen.setLineDash([]); }
  const code = own.code + (turn.u ? "?" : "");
  pen.font = "bold 12px system-ui, sans-serif";
  const room = pen.measureText(code).width;
  if (wide > room + 4) {
    pen.globalAlpha = faint;
    if (turn.u || confidence(turn) < 0.75) { // letters stand on a plain ground
      pen.fillStyle = own.colour;
      pen.fillRect(a + wide / 2 - room / 2 - 2, y + LANE / 2 - 8, room + 4, 16);
    }
    pen.fillStyle = own.ink;
    pen.textAlign = "center";
    pen.fillText(code, a + wide / 2, y + LANE / 2 + 1);
    pen.textAlign = "left";
  }
  pen.font = "12px system-ui, sans-serif";
  pen.globalAlpha = 1;
}

function hatch(pen, paint, a, y, wide) {
  pen.save();
  pen.beginPath(); pen.rect(a, y, wide, LANE); pen.clip();
  pen.strokeStyle = paint.ink;
  pen.lineWidth = 1;
  pen.beginPath();
  for (let k = a - LANE - ((a - LANE) % 6); k < a + wide; k += 6) { pen.moveTo(k, y + LANE); pen.lineTo(k + LANE, y); }
  pen.stroke();
  pen.restore();
}

function outline(pen, paint, place, x) {
  const turn = state.talk.turns[place];
  const a = x(start(place)), wide = Math.max(3, x(end(place)) - a);
  pen.strokeStyle = paint.ink;
  pen.lineWidth = 2.5;
  pen.strokeRect(a, top_() + turn.s * (LANE + GAP) - 1, wide, LANE + 2);
  if (peaks) { pen.fillStyle = paint.ink; pen.fillRect(a, AXIS + WAVE - 1, wide, 3); }
  pen.lineWidth = 1;
}

function overview(paint) {
  const [pen, width] = fitted(map, 20);
  const left = gutter(width), px = (width - left) / length();
  pen.fillStyle = paint.faint;
  pen.fillRect(left, 0, width - left, 20);
  for (const place of ordered()) {
    pen.fillStyle = lookOf(state.talk.turns[place]).colour;
    pen.fillRect(left + start(place) * px, 4, Math.max(1, (end(place) - start(place)) * px), 12);
  }
  pen.strokeStyle = paint.ink;
  pen.lineWidth = 2;
  pen.strokeRect(left + state.from * px + 1, 1, Math.max(4, (state.to - state.from) * px - 2), 18);
}

/** The time under a pointer, and the turn there, or −1. */
function under(event) {
  const box = line.getBoundingClientRect(), left = gutter(box.width);
  const time = state.from + ((event.clientX - box.left - left) / (box.width - left)) * (state.to - state.from);
  const y = event.clientY - box.top, slack = ((state.to - state.from) / (box.width - left)) * 2;
  const lane = y < top_() ? -1 : Math.floor((y - top_()) / (LANE + GAP));
  let found = -1;
  if (event.clientX - box.left >= left) {
    for (const place of ordered()) {
      if (start(place) - slack > time) break;
      if (end(place) + slack >= time && (lane < 0 || state.talk.turns[place].s === lane)) found = place;
    }
  }
  return [Math.max(0, Math.min(length(), time)), found, lane];
}

function listenToTimeline() {
  let grab = null;
  line.addEventListener("pointerdown", (event) => { grab = { x: event.clientX, from: state.from, moved: false }; });
  line.addEventListener("pointermove", (event) => {
    const found = under(event)[1];
    line.title = found < 0 ? "" : `${when(found)} ${named(state.talk.turns[found].s)}: ${feeling(state.talk.turns[found])} (${sureness(state.talk.turns[found])})`;
    if (!grab || !(event.buttons & 1)) return;
    const by = event.clientX - grab.x;
    if (Math.abs(by) > 4 && !map.hidden) grab.moved = true;
    const size = state.to - state.from;
    if (grab.moved) show(grab.from - (by / (line.clientWidth - gutter(line.clientWidth))) * size, grab.from - (by / (line.clientWidth - gutter(line.clientWidth))) * size + size);
  });
  line.addEventListener("click", (event) => {
    if (grab && grab.moved) return;
    const [time, found, lane] = under(event);
    if (found >= 0) select(found, { scroll: true });
    if (lane < 0 || found < 0) seek(time);
  });
  line.addEventListener("wheel", (event) => {
    if (event.ctrlKey || event.metaKey) { event.preventDefault(); zoom(event.deltaY > 0 ? 1.25 : 0.8, under(event)[0]); }
    else if (Math.abs(event.deltaX) > Math.abs(event.deltaY)) { event.preventDefault(); const by = (event.deltaX / line.clientWidth) * (state.to - state.from); show(state.from + by, state.to + by); }
  }, { passive: false });
  const drag = (event) => {
    if (event.type === "pointermove" && !(event.buttons & 1)) return;
    const left = gutter(map.clientWidth), size = state.to - state.from;
    const middle = ((event.clientX - map.getBoundingClientRect().left - left) / (map.clientWidth - left)) * length();
    show(middle - size / 2, middle + size / 2);
  };
  map.addEventListener("pointerdown", (event) => { map.setPointerCapture(event.pointerId); drag(event); });
  map.addEventListener("pointermove", drag);
  $("in").addEventListener("click", () => zoom(0.5));
  $("out").addEventListener("click", () => zoom(2));
  $("fit").addEventListener("click", () => show(0, length()));
  new ResizeObserver(redraw).observe(line);
}
