// What cannot wait for the modules. A script of its own, and not a module, because those run after the first paint.
(() => {
  // The colours that were chosen, so that a dark page never flashes white.
  try {
    const theme = localStorage.getItem("hetero.theme");
    if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
  } catch {
    // Storage is refused: the system's choice holds.
  }
  // The first page's figures are asked for while the modules are fetched; app/live.js takes the stream over.
  if (/^(#\/?)?$/.test(location.hash) && !document.hidden) {
    const stream = new EventSource("api/v1/overview");
    stream.onmessage = (event) => (stream.kept = event);
    globalThis.early = stream;
  }
})();
