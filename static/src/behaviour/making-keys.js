// On [data-key-ways] a person says where the key is made.  "In this browser" is offered only where it can be done: with
// script, WebCrypto and a secure connection.  What makes it is a file of its own, fetched when somebody chooses it.

export function makingKeys(root) {
  if (!globalThis.crypto?.subtle) return; // WebCrypto is there in secure contexts only
  for (const ways of root.querySelectorAll("[data-key-ways]")) offer(ways);
}

function offer(ways) {
  const [panel, given, here, loading, trouble] = ["maker", "given", "here", "loading", "trouble"].map((part) => ways.querySelector(`[data-key-${part}]`));
  if (!panel) return; // none of the kinds that are allowed can be made in a browser
  ways.querySelector("[data-key-choice]").hidden = false;
  ways.querySelector("[data-key-no-choice]").hidden = true;
  let maker; // there is one from the first time on that it is wanted

  const turn = async () => {
    given.hidden = here.checked;
    trouble.hidden = true;
    if (here.checked && !maker) {
      loading.hidden = false;
      try {
        const { KeyMaker } = await import(panel.dataset.keyMaker);
        maker ??= new KeyMaker(panel);
      } catch {
        trouble.hidden = !here.checked;
      }
      loading.hidden = true;
    }
    panel.hidden = !here.checked || !maker;
    if (here.checked) maker?.enter();
    else maker?.leave();
  };
  ways.addEventListener("change", (event) => event.target.name === "way" && turn());
  if (here.checked) turn(); // a browser may remember what was chosen before the page was loaded again
}
