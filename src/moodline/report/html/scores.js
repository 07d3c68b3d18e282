// What is different where the model answers with numbers: colours on a scale, bars from the middle, intervals.
const scored = () => Boolean(state.talk.range);
const LOWER = [213, 94, 0], MIDDLE = [217, 217, 217], UPPER = [0, 114, 178]; // of Okabe and Ito, and grey between

/** Where a score lies in its range: −1 at the low end, 0 in the middle, 1 at the high end. */
function placed(score) {
  const [low, high] = state.talk.range;
  return Math.max(-1, Math.min(1, (2 * score - low - high) / (high - low)));
}

const number = (score) => (Math.abs(score) < 0.005 ? "0.00" : `${score > 0 ? "+" : "−"}${Math.abs(score).toFixed(2)}`);
const span = (turn) => `${number(turn.r[0])} … ${number(turn.r[1])}`;

/** How a score looks: the stronger the colour, the farther from the middle. */
function scoreLook(score) {
  const at = placed(score), far = at < 0 ? LOWER : UPPER;
  const parts = MIDDLE.map((c, n) => Math.round(c + (far[n] - c) * Math.abs(at)));
  const light = (0.299 * parts[0] + 0.587 * parts[1] + 0.114 * parts[2]) / 255;
  return { colour: `rgb(${parts.join(" ")})`, ink: light > 0.5 ? "#000000" : "#ffffff", code: number(score) };
}

/** A turn in its speaker's lane: a bar from the middle of the range to the score, a line over the interval. */
function scoreBlock(pen, paint, turn, a, y, wide, faint) {
  const middle = y + LANE / 2, tall = (score) => middle - placed(score) * (LANE / 2 - 2);
  pen.globalAlpha = faint;
  pen.fillStyle = scoreLook(turn.v).colour;
  pen.fillRect(a, Math.min(middle, tall(turn.v)), wide, Math.max(2, Math.abs(middle - tall(turn.v))));
  pen.strokeStyle = paint.quiet;
  pen.beginPath();
  pen.moveTo(a, middle); pen.lineTo(a + wide, middle);
  if (wide > 3) { pen.moveTo(a + wide / 2, tall(turn.r[0])); pen.lineTo(a + wide / 2, tall(turn.r[1])); }
  pen.stroke();
  pen.globalAlpha = 1;
}

/** The scale in place of the emotions. */
function scoreLegend() {
  const [low, high] = state.talk.range;
  const steps = [low, (3 * low + high) / 4, (low + high) / 2, (low + 3 * high) / 4, high];
  return steps.map((score) => make("span", { class: "chip", "--c": scoreLook(score).colour, "--i": scoreLook(score).ink }, number(score)));
}

/** The scores of the mixture and of each expert, as bars from the middle. */
function scoreBars(turn) {
  const lines = [["score", turn.v], ...(state.talk.experts.length > 1 ? state.talk.experts.map((name, k) => [`${name} alone`, turn.y[k]]) : [])];
  const fromMiddle = (name, score) => bar(name, Math.abs(placed(score)) / 2, scoreLook(score).colour, number(score), 0.5 + Math.min(0, placed(score)) / 2);
  return make("table", { class: "bars", id: "scores" }, make("caption", {}, `Scores from ${number(state.talk.range[0])} to ${number(state.talk.range[1])}`),
    make("tbody", {}, ...lines.map(([name, score]) => (score === null ? bar(name, 0, null, "–") : fromMiddle(name, score)))));
}

function scoreCard(speaker, n) {
  const facts = make("dl", {},
    make("dt", {}, "mean"), make("dd", {}, number(speaker.mean)),
    make("dt", {}, "from, to"), make("dd", {}, `${number(speaker.lowest)} … ${number(speaker.highest)}`),
    make("dt", {}, "changes"), make("dd", {}, speaker.shifts === 0 ? "none" : `${speaker.shifts} over the middle`),
    make("dt", {}, "strongest"), make("dd", { class: "wide" }, make("ol", {}, ...speaker.moments.map((place) => make("li", {}, moment(place))))));
  return make("article", { class: "card", "data-speaker": n },
    make("h3", {}, named(n)),
    make("p", { class: "quiet" }, `${speaker.turns} ${speaker.turns === 1 ? "turn" : "turns"}${speaker.seconds === null ? "" : `, ${clock(speaker.seconds)} of speech`}`), facts);
}
