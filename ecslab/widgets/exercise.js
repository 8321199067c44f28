// One exercise: its task, Check, Hint, Reset. Python runs the check and keeps
// the state; this draws the `view` it sends and reports what was pressed.

function render(context) {
  const root = context.el;
  root.classList.add("ecslab-panel", "ecslab-exercise");
  const status = liveRegion();

  return panel(context, (view, send) => {
    const press = (doing, sentence) => () => {
      status.textContent = sentence;
      send({ do: doing });
    };
    const left = view.hintCount - view.hints.length;
    const check = button("Check", press("check", "Checking…"), { class: "ecslab-button ecslab-main" });
    const hint = button(left ? `Hint (${view.hints.length + 1} of ${view.hintCount})` : "No more hints",
      press("hint", ""), { disabled: left === 0 });
    const reset = button("Reset", () => confirm(true));
    const sure = button("Yes, start over", press("reset", "Resetting…"));
    const keep = button("Keep", () => confirm(false));
    const question = el("span", { class: "ecslab-confirm", hidden: true }, "Start this exercise over? ", sure, " ", keep);
    const confirm = (open) => {
      question.hidden = !open;
      reset.hidden = open;
      (open ? keep : reset).focus();
    };

    const hints = view.hints.map(({ kind, text }, place) =>
      el("li", { tabindex: "-1" }, el("span", { class: "ecslab-word" }, `Hint ${place + 1}, ${kind}`), el("div", { html: text })));
    const verdict = view.verdict;
    const rows = verdict ? verdict.saw.map(sawRow) : [];

    lay(root, status, [
      el("header", {}, el("h3", { html: view.title }),
        el("span", { class: "ecslab-score" }, view.done ? el("span", { class: "ecslab-right" }, "✓ passed") : "not passed yet")),
      el("div", { class: "ecslab-stem", html: view.task }),
      hints.length ? el("ol", { class: "ecslab-list ecslab-hints" }, ...hints) : null,
      el("div", { class: "ecslab-actions" }, check, hint, el("span", { class: "ecslab-gap" }), reset, question),
    ], [
      rows.length ? el("ul", { class: "ecslab-list" }, ...rows) : null,
      view.explanation ? el("div", { class: "ecslab-explanation", html: view.explanation }) : null,
    ]);
    status.textContent = view.message || (verdict ? (verdict.passed ? "Passed." : "Not yet.") : "");
    const targets = { verdict: check, hint: hints.at(-1), message: check };
    return targets[view.focus];
  });
}

function sawRow({ ok, saw, wanted, where }) {
  return el("li", { class: `ecslab-feedback ecslab-${ok ? "right" : "wrong"}` },
    el("span", { class: "ecslab-sign", "aria-hidden": "true" }, ok ? "✓" : "✗"),
    el("div", {},
      el("div", {}, `Saw: ${saw}`),
      ok ? null : el("div", {}, `Wanted: ${wanted}`),
      ok || !where ? null : el("div", { class: "ecslab-why" }, "Look at: ", el("code", {}, where))));
}

export default { render };
