// What every page does: theme, copying, printing, colours for canvases.
const root = document.documentElement;
const byId = (id) => document.getElementById(id);

/// Functions to call when colours have changed.
const onRecolour = [];
const recolour = () => onRecolour.forEach((draw) => draw());
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", recolour);

const probe = document.body.appendChild(document.createElement("span"));
probe.hidden = true;
/// The value that a custom colour of the style sheet has now, as canvases understand it.
function colour(name) {
  probe.style.color = `var(--${name})`;
  return getComputedStyle(probe).color;
}

{
  const button = byId("theme");
  const isDark = () => (root.dataset.theme ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";
  const label = () => { button.textContent = isDark() ? "Light" : "Dark"; };
  button.hidden = false;
  label();
  button.addEventListener("click", () => {
    root.dataset.theme = isDark() ? "light" : "dark";
    label();
    recolour();
  });
}

for (const button of document.querySelectorAll(".copy")) {
  button.hidden = false;
  button.addEventListener("click", async () => {
    const code = button.parentElement.querySelector("code");
    try {
      await navigator.clipboard.writeText(code.textContent);
      button.textContent = "Copied";
    } catch {
      getSelection().selectAllChildren(code);
      button.textContent = "Selected";
    }
    setTimeout(() => { button.textContent = "Copy"; }, 1500);
  });
}

{
  // Paper is light and cannot be unfolded.
  let theme, folded = [];
  addEventListener("beforeprint", () => {
    theme = root.dataset.theme;
    root.dataset.theme = "light";
    folded = [...document.querySelectorAll("details.anomaly:not([open])")];
    folded.forEach((details) => { details.open = true; });
    recolour();
  });
  addEventListener("afterprint", () => {
    if (theme === undefined) delete root.dataset.theme; else root.dataset.theme = theme;
    folded.forEach((details) => { details.open = false; });
    recolour();
  });
}
