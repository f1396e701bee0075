// What is [data-unsaved] would be lost with the page, so leaving asks, in the words of that attribute; the page's
// address stands in [data-stays-at].  Whoever sets them also asks the browser to ask (beforeunload).
//
// Inside a wizard htmx exchanges pages without leaving the document, and no browser asks about that.  So links are kept
// from htmx: they leave the document, and the browser asks.  Where it would not, or would too late, we do.

export function leaving(page) {
  const unsaved = () => page.querySelector("[data-unsaved]");
  const givenUp = (part) => {
    const agreed = confirm(part.dataset.unsaved);
    if (agreed) delete part.dataset.unsaved;
    return agreed;
  };
  window.addEventListener("click", (event) => {
    if (event.target.closest?.("a[href]:not([download])") && unsaved()) event.stopPropagation();
  }, true);
  window.addEventListener("submit", (event) => { // before anything else hears of it and takes the form for sent
    const part = unsaved();
    const closed = event.submitter?.getAttribute("aria-disabled") === "true"; // goes nowhere
    if (!part || closed || givenUp(part)) return;
    event.preventDefault();
    event.stopPropagation();
  }, true);
  window.addEventListener("popstate", (event) => { // listens before htmx does, which starts when the page is complete
    const part = unsaved();
    const { staysAt } = part?.dataset ?? {};
    if (!part || location.href.split("#")[0] === staysAt || givenUp(part)) return;
    event.stopImmediatePropagation();
    history.pushState({ htmx: true }, "", staysAt);
  });
}
