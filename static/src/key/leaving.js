// Asks before a page is left that holds a key which nobody has saved, and only then.
//
// Inside a wizard htmx exchanges pages without leaving the document, and no browser asks about that.  So while a key
// is in danger, links are kept from htmx: they leave the document, and the browser asks in its own words.  Where it
// would not ask, or ask too late, we do.

export function askBeforeLeaving(panel, { inDanger, words, gone }) {
  const stop = new AbortController();
  const { signal } = stop;
  const first = { capture: true, signal };
  const here = { address: location.href, state: history.state };
  let agreed = false;
  const mustAsk = () => panel.isConnected && inDanger() && !agreed;

  window.addEventListener("beforeunload", (event) => mustAsk() && event.preventDefault(), { signal });
  document.addEventListener("click", (event) => {
    const link = event.target.closest?.("a[href]:not([download])");
    if (link && mustAsk()) event.stopPropagation();
  }, first);
  window.addEventListener("submit", (event) => { // before anything else hears of it and takes the form for sent
    if (!mustAsk() || event.submitter?.getAttribute("aria-disabled") === "true") return;
    agreed = confirm(words);
    if (agreed) return;
    event.preventDefault();
    event.stopPropagation();
  }, first);
  window.addEventListener("popstate", (event) => {
    if (!mustAsk() || location.href.split("#")[0] === here.address.split("#")[0]) return;
    agreed = confirm(words);
    if (agreed) return; // htmx loads the page that is wanted
    event.stopImmediatePropagation();
    history.pushState(here.state, "", here.address);
  }, first);
  document.addEventListener("htmx:load", () => {
    if (panel.isConnected) return;
    stop.abort();
    gone();
  }, { signal });
}
