// Shared by the widgets' front ends.
//
// JupyterLab's own shortcuts ("b" inserts a cell, "d d" deletes one) fire for
// any focused element that does not itself carry data-lm-suppress-shortcuts;
// carrying it on a parent is not enough. So everything that can take focus is
// made by `el`, which puts it there.

const FOCUSABLE = new Set(["a", "button", "input", "select", "summary", "textarea"]);

function el(tag, props = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (name === "html") node.innerHTML = value; // our own content, rendered without raw HTML
    else if (name === "value") node.value = value;
    else if (value === true) node.setAttribute(name, "");
    else if (value !== false && value != null) node.setAttribute(name, value);
  }
  if (FOCUSABLE.has(tag) || "tabindex" in props) node.setAttribute("data-lm-suppress-shortcuts", "true");
  node.append(...children.filter((child) => child != null && child !== false));
  for (const link of "html" in props ? node.querySelectorAll("a") : []) {
    link.setAttribute("data-lm-suppress-shortcuts", "true");
    link.target = "_blank";
    link.rel = "noopener";
  }
  return node;
}

function button(label, onclick, props = {}) {
  return el("button", { type: "button", class: "ecslab-button", ...props, onclick }, label);
}

// A sentence that is read out when its text changes.
function liveRegion() {
  return el("div", { role: "status", "aria-live": "polite", class: "ecslab-status" });
}

// Fill `root` with new nodes around a live region that stays where it is:
// one that leaves the page and returns is not read out.
function lay(root, status, above, below = []) {
  for (const old of [...root.children]) if (old !== status) old.remove();
  if (!status.isConnected) root.append(status);
  status.before(...above.filter(Boolean));
  status.after(...below.filter(Boolean));
}

// Redraw `root` whenever Python sets `view`. Focus moves only in the view
// where something was pressed, and only if it has not gone elsewhere since.
function panel({ model, el: root }, draw) {
  let acted = false;
  const send = (message) => {
    acted = true;
    model.send(message);
  };
  const redraw = () => {
    const mine = acted && (root.contains(document.activeElement) || document.activeElement === document.body);
    acted = false;
    const target = draw(model.get("view"), send);
    if (mine && target) target.focus();
  };
  model.on("change:view", redraw);
  redraw();
  return () => model.off("change:view", redraw);
}
