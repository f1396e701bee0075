// A form that is on its way is not sent again by a second press.  The guard lets go when the page is shown again,
// when htmx has its answer, and in any case after eight seconds: a retry that is meant is never refused.

const LONG_ENOUGH = 8000;

export function sendingOnce(page) {
  const free = (form) => {
    delete form.dataset.sending;
    for (const button of form.querySelectorAll("[data-sending]")) delete button.dataset.sending;
  };
  page.addEventListener("submit", (event) => {
    const form = event.target;
    if (form.method !== "post") return;
    const closed = event.submitter?.getAttribute("aria-disabled") === "true"; // its reason stands beside it
    if (closed || "sending" in form.dataset) {
      event.preventDefault();
      event.stopImmediatePropagation();
      return;
    }
    form.dataset.sending = "";
    if (event.submitter) event.submitter.dataset.sending = "";
    setTimeout(() => free(form), LONG_ENOUGH);
  }, true);
  window.addEventListener("pageshow", () => page.querySelectorAll("form[data-sending]").forEach(free));
  page.addEventListener("htmx:afterRequest", (event) => event.target.matches("form") && free(event.target));
}
