// The page begins here: conversations, keys, print.
function openTalk(number) {
  state.number = number;
  state.talk = data.conversations[number];
  state.selected = -1;
  const talk = state.talk;
  $("pick").value = String(number);
  $("name").textContent = talk.id;
  const people = `${talk.speakers.length} ${talk.speakers.length === 1 ? "speaker" : "speakers"}`;
  const unsure = talk.turns.filter((turn) => turn.u).length;
  const nowhere = talk.timed ? talk.turns.filter((turn) => turn.a === null).length : 0;
  $("facts").textContent = [talk.media, talk.timed ? clock(talk.length) : null, people, `${talk.turns.length} turns`, nowhere ? `${nowhere} without a time` : null, unsure ? `${unsure} unsure` : null].filter(Boolean).join(" · ");
  $("made").textContent = `Made by Moodline ${talk.version} with the model ${talk.model}. ${talk.terms}`;
  $("notes").hidden = !talk.notes.length;
  $("notes").replaceChildren(...talk.notes.map((note) => make("li", {}, note)));
  state.shown = talk.turns.map(() => true);
  openPlayer();
  openTimeline();
  openTurns();
  openDetails(-1);
}

/** Go where the address points, #c1-t12: conversation and turn, counted from 1. */
function follow() {
  const found = /^#c(\d+)-t(\d+)$/.exec(location.hash);
  if (!found) return;
  const number = Number(found[1]) - 1, place = Number(found[2]) - 1;
  if (!data.conversations[number]?.turns[place]) return;
  if (number !== state.number) openTalk(number);
  select(place, { scroll: true, focus: true });
}

function key(event) {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || $("help").open) return;
  const target = event.target, name = target.tagName;
  if (event.key === "Escape") { showAll(); if (name === "INPUT") target.blur(); return; }
  if (name === "INPUT" && target.type !== "checkbox") return;
  if (name === "SELECT" || name === "AUDIO") return;
  const pressed = name === "BUTTON" || name === "A" || name === "INPUT";
  const act = {
    ArrowDown: () => step(1), ArrowUp: () => step(-1), ArrowRight: () => step(1), ArrowLeft: () => step(-1),
    Home: () => outermost(-1), End: () => outermost(1),
    "/": () => $("search").focus(), "?": () => $("help").showModal(),
    "+": () => zoom(0.5), "=": () => zoom(0.5), "-": () => zoom(2), "0": () => show(0, length()),
    " ": pressed ? null : toggle, Enter: pressed ? null : playTurn,
  }[event.key];
  if (!act) return;
  event.preventDefault();
  act();
}

/** Paper is white, shows the whole, and has no pixels to spare. */
function print(on) {
  document.documentElement.classList.toggle("printing", on);
  if (on) { print.view = [state.from, state.to]; state.from = 0; state.to = length(); map.hidden = true; draw(2); }
  else if (print.view) { show(...print.view); print.view = null; }
}

if (data.conversations.length) {
  $("pick").append(...data.conversations.map((talk, n) => make("option", { value: n }, `${talk.id} (${talk.turns.length} turns)`)));
  $("picker").hidden = data.conversations.length < 2;
  $("pick").addEventListener("change", () => { openTalk(Number($("pick").value)); history.replaceState(null, "", location.pathname); });
  openTalk(0);
  listenToTimeline();
  listenToTurns();
  listenToPlayer();
  follow();
  addEventListener("hashchange", follow);
  addEventListener("keydown", key);
  addEventListener("beforeprint", () => print(true));
  addEventListener("afterprint", () => print(false));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
} else {
  $("facts").textContent = "There is no conversation in this result.";
  for (const part of document.querySelectorAll("main > *")) part.hidden = true;
}
$("helper").addEventListener("click", () => $("help").showModal());
$("close").addEventListener("click", () => $("help").close());
