// What a quiz and an exam share: the way each type of question is answered,
// every option with its reason, and the proof of an answer.

const CONFIDENCE = [["", "not said"], ["guess", "a guess"], ["unsure", "not sure"], ["sure", "sure"]];
const WORDS = { right: "right", missed: "the right answer", wrong: "wrong", left: "" };
const PLACED = { right: "right", wrong: "misplaced" }; // order
const SIGNS = { right: "✓", missed: "✓", wrong: "✗", left: "" };

// Each editor draws the way one type is answered, from (step, name, tools), and returns
// { nodes, read() -> what was picked, or undefined, put(picked) }. Of the tools, `say` reads a
// sentence out, `changed` hears of every change, and `beside(place)` stands next to an option.
const EDITORS = {
  single: choiceEditor("radio"),
  "read-events": choiceEditor("radio"),
  multiple: choiceEditor("checkbox"),
  numeric: numericEditor,
  order: orderEditor,
  match: matchEditor,
  "fix-json": documentEditor,
};

function choiceEditor(kind) {
  return (step, name, { changed, beside }) => {
    const inputs = step.choices.map((_, place) => el("input", { type: kind, name, value: String(place), onchange: changed }));
    const rows = step.choices.map((html, place) => {
      const label = el("label", { class: "ecslab-choice" }, inputs[place], el("span", { html }));
      return beside ? el("div", { class: "ecslab-option" }, label, beside(place)) : label;
    });
    const picked = () => inputs.flatMap((input, place) => (input.checked ? [place] : []));
    return {
      nodes: rows,
      read: () => (kind === "radio" ? picked()[0] : picked()),
      put: (given) => inputs.forEach((input, place) => (input.checked = [given].flat().includes(place))),
    };
  };
}

function numericEditor(step, name, { changed }) {
  const input = el("input", {
    type: "number", step: "any", class: "ecslab-number", "aria-label": step.instruction, oninput: changed, onchange: changed,
    onkeydown: (event) => {
      if (event.key !== "Enter") return;
      event.preventDefault(); // JupyterLab keeps Enter in a text field from sending its form
      input.form.requestSubmit();
    },
  });
  return {
    nodes: [el("label", { class: "ecslab-line" }, input, " ", step.unit)],
    read: () => (input.value === "" ? undefined : input.value),
    put: (given) => (input.value = given ?? ""),
  };
}

function orderEditor(step, name, { say, changed = () => {} }) {
  const order = step.choices.map((_, place) => place);
  const list = el("ol", { class: "ecslab-order" });
  const move = (from, by) => {
    [order[from], order[from + by]] = [order[from + by], order[from]];
    draw();
    const buttons = list.children[from + by].querySelectorAll("button");
    const wanted = buttons[by < 0 ? 0 : 1];
    (wanted.disabled ? buttons[by < 0 ? 1 : 0] : wanted).focus();
    say(`Now at place ${from + by + 1} of ${order.length}.`);
    changed();
  };
  const draw = () =>
    list.replaceChildren(
      ...order.map((place, index) => {
        const text = el("span", { html: step.choices[place] });
        const up = button("↑", () => move(index, -1), { "aria-label": `Move up: ${text.textContent}`, disabled: index === 0 });
        const down = button("↓", () => move(index, 1), {
          "aria-label": `Move down: ${text.textContent}`, disabled: index === order.length - 1,
        });
        return el("li", {}, el("span", { class: "ecslab-moves" }, up, down), text);
      })
    );
  const put = (given) => {
    order.splice(0, order.length, ...(given ?? step.choices.keys()));
    draw();
  };
  draw();
  return { nodes: [list], read: () => [...order], put };
}

function matchEditor(step, name, { changed }) {
  const sides = step.choices.map((html) => el("span", { html }).textContent);
  const selects = step.lefts.map(() =>
    el("select", { class: "ecslab-select", onchange: changed },
      el("option", { value: "-1" }, "choose…"),
      ...sides.map((side, place) => el("option", { value: String(place) }, side))
    )
  );
  const rows = step.lefts.map((html, index) =>
    el("label", { class: "ecslab-pair" }, el("span", { html }), selects[index])
  );
  return {
    nodes: rows,
    read: () => selects.map((select) => Number(select.value)),
    put: (given) => selects.forEach((select, index) => (select.value = String(given?.[index] ?? -1))),
  };
}

function documentEditor(step, name, { changed }) {
  const area = el("textarea", {
    class: "ecslab-document", spellcheck: "false", "aria-label": step.instruction, oninput: changed, onchange: changed,
    rows: Math.min(30, step.document.split("\n").length + 1), value: step.document,
  });
  return { nodes: [area], read: () => area.value, put: (given) => (area.value = given ?? step.document) };
}

function feedback(step) {
  const result = step.result;
  const words = step.type === "order" ? PLACED : WORDS;
  const rows = result.lines.map((line) =>
    el("li", { class: `ecslab-feedback ecslab-${line.mark}` },
      el("span", { class: "ecslab-sign", "aria-hidden": "true" }, SIGNS[line.mark]),
      el("div", {},
        el("div", {}, el("span", { html: line.text }), words[line.mark] ? el("span", { class: "ecslab-word" }, ` ${words[line.mark]}`) : null),
        line.why ? el("div", { class: "ecslab-why", html: line.why }) : null)
    )
  );
  const { title, url, checked } = result.reference;
  return [
    result.answer && !result.correct ? el("p", { html: `You answered: ${result.answer}` }) : null,
    el("ul", { class: "ecslab-list", "aria-label": "Every option with its reason" }, ...rows),
    result.explanation ? el("div", { class: "ecslab-explanation", html: result.explanation }) : null,
    el("p", { class: "ecslab-reference" },
      el("a", { href: url, target: "_blank", rel: "noopener" }, title), ` (checked ${checked})`),
  ];
}

// A question's text. Its answers are described by it, hence the id.
function stemOf(step, name) {
  return el("div", { id: `${name}-stem`, class: "ecslab-stem" },
    step.background ? el("div", { class: "ecslab-background", html: step.background }) : null,
    el("div", { html: step.stem }),
    step.trace ? el("pre", { class: "ecslab-trace", tabindex: "0", "aria-label": "Trace" }, step.trace.trimEnd()) : null);
}

// The proofs of answers: for a step, a button and a log that is read out line by line.
function proofs(model) {
  const shown = { id: null, log: null }; // where the lines go
  const hear = ({ shown: id, line }) => {
    if (shown.log && id === shown.id) shown.log.append(el("p", {}, line));
  };
  model.on("msg:custom", hear);
  const draw = ({ id, proof }, place) => {
    if (!proof) return [];
    const log = el("div", { role: "log", "aria-live": "polite", "aria-label": "What happens", tabindex: "-1", class: "ecslab-proof" },
      ...proof.lines.map((line) => el("p", {}, line)));
    Object.assign(shown, { id, log });
    const show = button("Show me", () => {
      show.remove();
      log.append(el("p", {}, "A region of its own plays this…"));
      log.focus();
      model.send({ do: "show", place });
    });
    return [proof.begun ? null : el("div", { class: "ecslab-actions" }, show), log];
  };
  return { draw, stop: () => model.off("msg:custom", hear) };
}
