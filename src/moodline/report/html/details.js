// The panel of the selected turn: its scores, what each expert says, and how much each counts.
function openDetails(place) {
  const panel = $("details");
  panel.classList.toggle("empty", place < 0);
  document.body.classList.toggle("reading", place >= 0);
  if (place < 0) {
    panel.replaceChildren(make("p", { class: "quiet" }, "Select a turn to see its scores."));
    return;
  }
  const turn = state.talk.turns[place];
  const time = turn.a === null ? "" : `${fine(turn.a)}–${fine(turn.b)}`;
  const parts = [
    make("div", { class: "head" },
      make("h2", {}, `Turn ${place + 1}`, make("span", { class: "quiet" }, time ? ` ${time}` : "")),
      make("div", { class: "steps" },
        make("button", { type: "button", "aria-label": "Turn before", onclick: () => step(-1) }, "←"),
        make("button", { type: "button", "aria-label": "Turn after", onclick: () => step(1) }, "→"),
        state.talk.sound && state.talk.timed && onLine(place) && make("button", { type: "button", id: "play-turn", onclick: playTurn }, "▶ Play"),
        make("button", { type: "button", id: "put-away", "aria-label": "Close", onclick: putAway }, "✕"))),
    make("h3", {}, named(turn.s)),
    make("blockquote", {}, turn.t ?? make("span", { class: "quiet" }, "no words known")),
    make("p", { class: "verdict" }, chip(turn), make("strong", {}, feeling(turn)), make("span", {}, scored() ? `true score expected in ${span(turn)} (${percent(state.talk.level)} of the time on dev)` : `${percent(confidence(turn))} confident`)),
    turn.u ? make("p", { class: "abstained" }, "The model was not sure enough and abstained; this is only its best guess.") : null,
    turn.c ? make("p", { class: "contradiction" }, `By themselves, ${turn.c.join(", ")}.`) : null,
    scored() ? scoreBars(turn) : scores(turn),
    state.talk.experts.length ? weights(turn) : null,
    scored() || alone(turn) ? null : make("div", { class: "scroll" }, experts(turn)),
    turn.o ? doubts(turn) : null,
    turn.g ? guides(turn) : null,
    turn.l ? make("p", { class: "quiet", id: "looked" }, looked(turn)) : null,
    make("p", { class: "quiet" }, `Read from: ${turn.m.length ? turn.m.join(", ") : "not recorded"} · id ${turn.i}`),
  ];
  panel.replaceChildren(...parts.filter(Boolean));
}

/** On a narrow screen the panel lies over the list. */
function putAway() {
  openDetails(-1);
  rows[state.selected]?.focus({ preventScroll: true });
}

/** Whether there is nothing to compare: no expert, or one that says what the mixture says. */
const alone = (turn) => turn.x.every((own) => own === null) || (turn.x.length === 1 && turn.x[0].every((value, n) => Math.abs(value - turn.p[n]) <= 1));

function bar(name, value, colour, tail, from = 0) {
  return make("tr", {}, make("th", { scope: "row" }, ...[name].flat()),
    make("td", {}, make("div", { class: "track" }, make("div", { class: "fill", "--c": colour, "--from": from ? `${from * 100}%` : null, width: `${Math.min(100, value * 100)}%` }))),
    make("td", { class: "number" }, tail ?? `${(value * 100).toFixed(1)}\u00a0%`));
}

function scores(turn) {
  const order = turn.p.map((_, n) => n).sort((a, b) => turn.p[b] - turn.p[a]);
  return make("table", { class: "bars", id: "scores" }, make("caption", {}, "Scores"), make("tbody", {},
    ...order.map((n) => bar([make("span", { class: "chip", "--c": look(n).colour, "--i": look(n).ink, "aria-hidden": "true" }, look(n).code), ` ${state.talk.labels[n]}`], share(turn.p[n]), look(n).colour))));
}

function weights(turn) {
  return make("table", { class: "bars", id: "weights" }, make("caption", {}, "Gate weights of the experts"), make("tbody", {},
    ...state.talk.experts.map((name, k) => bar(name, turn.w[k] === null ? 0 : share(turn.w[k]), null, turn.w[k] === null ? "–" : undefined))));
}

/** Which turns the last reasoning step looked at most. */
const looked = (turn) => turn.l.map(([name, turns]) => `Looked at by ${name}: ${turns.map(([place, weight]) => `turn ${place + 1} (${percent(weight)})`).join(", ") || "nothing"}`).join(" · ");

/** σ of each modality, beside the largest of the conversation. */
function doubts(turn) {
  const largest = Math.max(...state.talk.turns.flatMap((other) => (other.o ?? []).map((pair) => pair[1])));
  return make("table", { class: "bars", id: "uncertainty" }, make("caption", {}, "Uncertainty (σ) of each modality"), make("tbody", {},
    ...turn.o.map(([name, sigma]) => bar(name, largest ? sigma / largest : 0, null, sigma.toFixed(3)))));
}

/** How much each part inside the model counted. */
function guides(turn) {
  return make("table", { class: "bars", id: "guides" }, make("caption", {}, "How much each of the model's experts counted (α)"), make("tbody", {},
    ...turn.g.map(([name, share]) => bar(name, share, null, percent(share)))));
}

/** A column for each expert; its own first choice is underlined. */
function experts(turn) {
  return make("table", { class: "grid", id: "experts" },
    make("caption", {}, "What each expert alone would say, in %"),
    make("thead", {}, make("tr", {}, make("th", { scope: "col" }, ""), ...state.talk.experts.map((name) => make("th", { scope: "col" }, name)))),
    make("tbody", {}, ...state.talk.labels.map((label, n) => make("tr", {}, make("th", { scope: "row" }, label),
      ...turn.x.map((own) => (own === null ? make("td", {}, "–") : make("td", { class: own[n] === Math.max(...own) ? "top" : null }, (share(own[n]) * 100).toFixed(1))))))));
}
