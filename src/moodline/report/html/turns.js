// The list of turns, the filters, the legend, and the cards of the speakers.
const list = $("list");
let rows = [];

function openTurns() {
  const talk = state.talk;
  state.emotions.clear();
  $("search").value = "";
  $("sure").value = "1";
  $("who").replaceChildren(make("option", { value: "" }, "all speakers"), ...talk.speakers.map((_, n) => make("option", { value: n }, named(n))));
  $("who").hidden = talk.speakers.length < 2;
  $("sure").hidden = scored();
  rows = talk.turns.map((turn, place) => row(turn, place));
  list.replaceChildren(...rows);
  const longest = Math.max(...talk.speakers.map((_, n) => (talk.speakers[n].name ?? "–").length));
  list.style.setProperty("--who", `${Math.min(14, Math.max(3, longest + 1))}ch`);
  list.style.setProperty("--mark", scored() ? "58px" : "38px");
  list.style.setProperty("--tail", scored() ? "8.5em" : "3.2em");
  list.style.setProperty("--when", `${when(talk.turns.length - 1).length + 2}ch`);
  openLegend();
  openCards();
  filter();
}

function row(turn, place) {
  return make("li", {
    class: "turn", role: "option", id: `turn-${place}`, "data-place": place, tabindex: "-1", "aria-selected": "false",
  },
  make("span", { class: "time" }, when(place)), " ",
  make("span", { class: "who", title: named(turn.s) }, state.talk.speakers[turn.s].name ?? "–"), " ",
  chip(turn), " ",
  make("span", { class: "words" }, turn.t ?? "…", " ", make("span", { class: "feel" }, feeling(turn), turn.u ? make("span", { class: "heard" }, " unsure") : "")), " ",
  make("span", { class: "conf" }, sureness(turn)));
}

function openLegend() {
  $("legend").setAttribute("aria-label", scored() ? "Scores and their colours" : "Emotions; press one to show only it");
  if (scored()) { $("legend").replaceChildren(...scoreLegend()); return; }
  const counts = state.talk.labels.map((_, n) => state.talk.turns.filter((turn) => turn.e === n).length);
  $("legend").replaceChildren(...state.talk.labels.map((label, n) => make("button", {
    type: "button", "aria-pressed": "false", "data-label": n, disabled: !counts[n],
    onclick: () => { state.emotions.has(n) ? state.emotions.delete(n) : state.emotions.add(n); filter(); },
  }, make("span", { class: "chip", "--c": look(n).colour, "--i": look(n).ink }, look(n).code), `${label} `, make("span", { class: "quiet" }, String(counts[n])))));
}

/** Hide the turns that do not pass; the selection stays, the arrow keys skip what is hidden. */
function filter() {
  const words = $("search").value.trim().toLocaleLowerCase(), who = $("who").value, sure = $("sure").value;
  let count = 0;
  state.shown = state.talk.turns.map((turn, place) => {
    const passes = (!words || (turn.t ?? "").toLocaleLowerCase().includes(words)) && (who === "" || turn.s === Number(who))
      && (!state.emotions.size || state.emotions.has(turn.e))
      && (sure === "unsure" ? Boolean(turn.u) : sure === "1" || confidence(turn) < Number(sure));
    if (rows[place].hidden === passes) rows[place].hidden = !passes;
    count += passes;
    return passes;
  });
  const all = count === rows.length;
  $("count").textContent = all ? `${count}` : `${count} of ${rows.length}`;
  $("clear").hidden = all && !words && who === "" && sure === "1" && !state.emotions.size;
  list.querySelector(".none")?.remove();
  if (!count) list.append(make("li", { class: "none", role: "presentation" }, "No turn passes the filters."));
  for (const button of $("legend").querySelectorAll("button")) button.setAttribute("aria-pressed", String(state.emotions.has(Number(button.dataset.label))));
  redraw();
}

function showAll() {
  $("search").value = "";
  $("who").value = "";
  $("sure").value = "1";
  state.emotions.clear();
  filter();
}

/** Select a turn: in the list, on the timeline, in the details, in the address. */
function select(place, { scroll = false, focus = false, quietly = false } = {}) {
  if (place < 0 || place >= rows.length) return;
  const before = rows[state.selected];
  if (before) { before.setAttribute("aria-selected", "false"); before.tabIndex = -1; }
  state.selected = place;
  const now = rows[place];
  now.setAttribute("aria-selected", "true");
  now.tabIndex = 0;
  list.tabIndex = -1;
  if (now.hidden) showAll();
  reveal(place);
  openDetails(place);
  if (scroll || focus) within(now);
  if (focus) now.focus({ preventScroll: true });
  redraw();
  if (!quietly) history.replaceState(null, "", address(place));
}

const address = (place) => `#c${state.number + 1}-t${place + 1}`;

/** Scroll the list, and not the page, where the list scrolls by itself. */
function within(item) {
  if (list.scrollHeight > list.clientHeight + 2) {
    const a = item.offsetTop - 60, b = item.offsetTop + item.offsetHeight + 60 - list.clientHeight;
    if (list.scrollTop > a) list.scrollTop = Math.max(0, a);
    else if (list.scrollTop < b) list.scrollTop = b;
  } else item.scrollIntoView({ block: "nearest", behavior: "instant" });
}

/** The next turn in a direction that passes the filters; the first or last one if nothing is selected. */
function step(by) {
  let place = state.selected < 0 ? (by > 0 ? 0 : rows.length - 1) : state.selected + by;
  while (place >= 0 && place < rows.length && !state.shown[place]) place += by;
  if (place >= 0 && place < rows.length) select(place, { focus: true });
}

function outermost(by) {
  const places = state.talk.turns.map((_, n) => n).filter((n) => state.shown[n]);
  if (places.length) select(by < 0 ? places[0] : places[places.length - 1], { focus: true });
}

function openCards() {
  $("cards").replaceChildren(...state.talk.speakers.map((speaker, n) => (scored() ? scoreCard : card)(speaker, n)));
}

function card(speaker, n) {
  const label = (k) => (k < 0 ? "unsure" : state.talk.labels[k]);
  const shares = speaker.shares.map(([k, value]) => `${label(k)} ${percent(value)}`).join(", ");
  const stack = make("div", { class: "stack", role: "img", "aria-label": `Shares ${speaker.byTime ? "of the time" : "of the turns"}: ${shares}` },
    ...speaker.shares.map(([k, value]) => {
      const own = k < 0 ? NEUTRAL_LOOK : look(k);
      return make("span", { class: k < 0 ? "seg unsure" : "seg", "--c": own.colour, "--i": own.ink, width: `${value * 100}%`, title: `${label(k)} ${percent(value)}` }, value > 0.07 ? own.code : "");
    }));
  const common = speaker.commonest;
  const facts = make("dl", {},
    make("dt", {}, speaker.byTime ? "by time" : "by turns"), make("dd", {}, shares),
    make("dt", {}, "shifts"), make("dd", {}, speaker.shifts === 0 ? "none" : `${speaker.shifts}${common ? `, most often ${label(common[0])} → ${label(common[1])} (${common[2]})` : ""}`),
    make("dt", {}, "confidence"), make("dd", {}, `${percent(speaker.confidence)} on average${speaker.unsure ? `, ${speaker.unsure} unsure` : ""}`),
    make("dt", {}, "strongest"), make("dd", { class: speaker.moments.length ? "wide" : null }, speaker.moments.length ? make("ol", {}, ...speaker.moments.map((place) => make("li", {}, moment(place)))) : "no turn that is sure and not neutral"));
  return make("article", { class: "card", "data-speaker": n },
    make("h3", {}, named(n)),
    make("p", { class: "quiet" }, `${speaker.turns} ${speaker.turns === 1 ? "turn" : "turns"}${speaker.seconds === null ? "" : `, ${clock(speaker.seconds)} of speech`}`), stack, facts);
}

function moment(place) {
  const turn = state.talk.turns[place];
  return make("a", { href: address(place), "data-place": place, title: turn.t ?? "" }, scored() ? `${when(place)} ${number(turn.v)}` : `${when(place)} ${feeling(turn)} ${percent(confidence(turn))}`, turn.t ? ` “${turn.t}”` : "");
}

function listenToTurns() {
  let pressed = null; // rows that come into view find their height only then, so another may lie under the pointer at its release
  list.addEventListener("pointerdown", (event) => { pressed = { item: event.target.closest(".turn"), x: event.clientX, y: event.clientY }; });
  list.addEventListener("click", (event) => {
    const still = pressed && Math.abs(event.clientX - pressed.x) + Math.abs(event.clientY - pressed.y) < 5;
    const item = event.target.closest(".turn") ?? (still ? pressed.item : null);
    if (item) select(Number(item.dataset.place), { focus: true });
  });
  list.addEventListener("dblclick", (event) => { if (event.target.closest(".turn")) playTurn(); });
  for (const id of ["search", "who", "sure"]) $(id).addEventListener("input", filter);
  $("clear").addEventListener("click", showAll);
  $("cards").addEventListener("click", (event) => {
    const link = event.target.closest("a[data-place]");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    select(Number(link.dataset.place), { focus: true });
  });
}
