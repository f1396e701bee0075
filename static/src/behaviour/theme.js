// The choice of light or dark: kept in a cookie, so that the server writes it into the page and nothing flashes.

const YEAR = 365 * 24 * 60 * 60;

export function theme(page) {
  const show = (chosen) => {
    for (const button of page.querySelectorAll("[data-choose-theme]"))
      button.setAttribute("aria-pressed", String(button.dataset.chooseTheme === chosen));
  };
  page.addEventListener("click", (event) => {
    const button = event.target.closest("[data-choose-theme]");
    if (!button) return;
    const chosen = button.dataset.chooseTheme;
    const secure = location.protocol === "https:" ? "; secure" : "";
    page.cookie = `theme=${chosen}; path=/; max-age=${chosen ? YEAR : 0}; samesite=lax${secure}`;
    if (chosen) page.documentElement.dataset.theme = chosen;
    else delete page.documentElement.dataset.theme;
    show(chosen);
  });
  show(page.documentElement.dataset.theme ?? "");
}
