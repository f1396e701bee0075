// The button of form[data-complete-first] is open once every required answer is given; until then it says why.
// Without script it is open, and the server answers with what is missing.

export function waitingForAnswers(root) {
  for (const form of root.querySelectorAll("form[data-complete-first]")) {
    const button = form.querySelector("[type=submit]");
    const why = form.querySelector("[data-why-closed]");
    const look = () => {
      const open = [...form.elements].every((field) => field.validity?.valid ?? true);
      if (open) button.removeAttribute("aria-disabled");
      else button.setAttribute("aria-disabled", "true");
      why.hidden = open;
    };
    form.addEventListener("input", look);
    look();
  }
}
