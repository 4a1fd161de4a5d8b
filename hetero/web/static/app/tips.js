// What a part of a drawing stands for, told where the pointer or the focus is. One element serves the whole page.

/** Have elements with `data-tip` tell it; escaped by Esc, as tooltips should be. */
export function tellTips() {
  const tip = document.getElementById("tip");
  let marked = null;

  function show(event) {
    const told = event.target.closest?.("[data-tip]");
    if (told === marked) return;
    hide();
    if (!told) return;
    marked = told;
    tip.textContent = told.dataset.tip;
    tip.hidden = false;
    place(tip, told.getBoundingClientRect());
    pick(told.dataset.of, true);
  }

  function hide() {
    if (marked) pick(marked.dataset.of, false);
    marked = null;
    tip.hidden = true;
  }

  document.addEventListener("pointerover", show);
  document.addEventListener("focusin", show);
  document.addEventListener("focusout", hide);
  document.addEventListener("scroll", hide, { capture: true, passive: true });
  document.addEventListener("keydown", (event) => event.key === "Escape" && hide());
  addEventListener("hashchange", hide);
}

// The same workload may have parts of several cards: all of them are picked out.
function pick(of, picked) {
  if (!of) return;
  for (const one of document.querySelectorAll(`[data-of="${CSS.escape(of)}"]`)) one.classList.toggle("picked", picked);
}

function place(tip, box) {
  const { offsetWidth: width, offsetHeight: height } = tip;
  const left = Math.min(Math.max(4, box.left + box.width / 2 - width / 2), innerWidth - width - 4);
  const above = box.top - height - 6;
  tip.style.left = `${left}px`;
  tip.style.top = `${above < 4 ? box.bottom + 6 : above}px`;
}
