// Short confirmations in the status region.  They close by a press, and by themselves when nobody is reading them.

const READ = 8000;

export function say(words) {
  const region = document.querySelector(".toasts");
  const toast = document.getElementById("toast").content.firstElementChild.cloneNode(true);
  toast.querySelector("p").textContent = words;
  region.append(toast);
  lapse(toast);
}

function lapse(toast) {
  setTimeout(() => {
    if (toast.matches(":hover, :focus-within")) lapse(toast);
    else toast.remove();
  }, READ);
}

export function toasts(page) {
  page.addEventListener("click", (event) => event.target.closest("[data-close-toast]")?.closest(".toast").remove());
}
