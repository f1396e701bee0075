// A press on [data-copy] copies that text, or the text of the element it names by [data-copy-from].

import { say } from "./toasts.js";

export function copying(page) {
  page.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-copy], [data-copy-from]");
    if (!button) return;
    const text = button.dataset.copy ?? page.getElementById(button.dataset.copyFrom).textContent.trim();
    try {
      await navigator.clipboard.writeText(text);
      say(button.dataset.copied);
    } catch {
      const source = button.parentElement.querySelector("code") ?? button; // no right to the clipboard: choose it instead
      getSelection().selectAllChildren(source);
      say(button.dataset.copyFailed);
    }
  });
}
