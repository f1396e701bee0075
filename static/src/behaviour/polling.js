// Looks after what htmx fetches again and again: an answer that is not the fragment asked for is not shown in its
// place.  A lost connection is said beside it; a lost session leads to the sign-in page.

export function polling(page) {
  const polled = (event) => event.detail.elt?.closest?.("[data-polled]");
  const trouble = (shown) => {
    for (const note of page.querySelectorAll("[data-poll-trouble]")) note.hidden = !shown;
  };
  page.addEventListener("htmx:beforeSwap", (event) => {
    if (!polled(event)) return;
    const { xhr } = event.detail;
    if (xhr.status < 400 && xhr.responseText.includes("data-polled")) return trouble(false);
    event.detail.shouldSwap = false;
    if (xhr.status < 400) location.reload(); // somebody signed out, or the page is another one by now
    else trouble(true);
  });
  page.addEventListener("htmx:sendError", (event) => polled(event) && trouble(true));
  // The same words again are no news: a screen reader shall not repeat them every two seconds.
  page.addEventListener("htmx:oobBeforeSwap", (event) => {
    if (event.detail.target.textContent.trim() === event.detail.fragment.textContent.trim()) event.detail.shouldSwap = false;
  });
}
