// The panel in which a key is made: asks, makes, and has the file saved before the way on is open.
//
// The private key leaves WebCrypto only as the sealed file.  Nothing of it is sent or stored: the password fields have
// no name, so no form posts them, and the sealed file is kept as long as the panel is there, to be saved again.

import { makePair, signedRequest } from "./pair.js";
import { sealed } from "./sealing.js";
import { LEAST, MOST, lengthOf, strengthOf } from "./strength.js";

const PARTS = ["ask", "making", "made"];
const PASSWORDS = ["password", "repeated"];

export class KeyMaker {
  #panel;
  #form;
  #next;
  #why;
  #csr;
  #given = ""; // what stood in the field for the CSR before we wrote into it
  #inUse = false;
  #made = null; // { csr, address, saved }: never the key itself
  #asking = (event) => this.#panel.isConnected && "unsaved" in this.#panel.dataset && event.preventDefault();

  constructor(panel) {
    this.#panel = panel;
    this.#form = panel.closest("form");
    this.#next = this.#form.querySelector("[type=submit]");
    this.#why = this.#part("why");
    this.#csr = this.#form.elements.csr;
    this.#next.after(this.#why);
    this.#part("make").addEventListener("click", () => this.#make());
    this.#part("save").addEventListener("click", () => this.#saved());
    this.#part("again").addEventListener("click", () => this.#again());
    this.#part("show").addEventListener("change", () => this.#showPasswords(this.#part("show").checked));
    this.#part("password").addEventListener("input", () => this.#tellStrength());
    for (const name of PASSWORDS) {
      this.#part(name).addEventListener("input", () => this.#complain(name, ""));
      this.#part(name).addEventListener("keydown", (event) => event.key === "Enter" && this.#entered(event));
    }
    document.addEventListener("htmx:load", () => this.#panel.isConnected || this.#forget());
  }

  /** Making the key here is what was chosen: the way on is closed until there is one, saved. */
  enter() {
    if (this.#inUse) return;
    this.#inUse = true;
    this.#given = this.#csr.value;
    this.#form.elements.csr_file.disabled = true; // a file chosen before would be taken instead of our CSR
    this.#look();
  }

  /** A CSR is given after all.  What was made here stays, should the person come back. */
  leave() {
    if (!this.#inUse) return;
    this.#inUse = false;
    this.#csr.value = this.#given;
    this.#form.elements.csr_file.disabled = false;
    this.#look();
  }

  #look() {
    const open = !this.#inUse || Boolean(this.#made?.saved);
    if (this.#inUse) this.#csr.value = this.#made?.saved ? this.#made.csr : "";
    this.#why.hidden = open;
    this.#why.textContent = this.#word(this.#made ? "save-first" : "make-first");
    if (open) {
      this.#next.removeAttribute("aria-disabled");
      this.#next.removeAttribute("aria-describedby");
    } else {
      this.#next.setAttribute("aria-disabled", "true");
      this.#next.setAttribute("aria-describedby", this.#why.id);
    }
  }

  #entered(event) {
    event.preventDefault(); // it would press "Next", which is closed
    this.#make();
  }

  async #make() {
    if (this.#part("ask").hidden || !this.#accept()) return;
    const kind = this.#part("kind").value;
    this.#show("making");
    this.#say(this.#word(kind.startsWith("rsa-") ? "making-slowly" : "making"));
    try {
      const pair = await makePair(kind);
      const [csr, file] = await Promise.all([signedRequest(pair, kind), sealed(pair.privateKey, this.#part("password").value)]);
      this.#made = { csr, saved: false, address: URL.createObjectURL(new Blob([file], { type: "application/x-pem-file" })) };
    } catch (trouble) {
      this.#failed(trouble);
      return;
    }
    this.#clearPasswords();
    if (!this.#panel.isConnected) return this.#forget(); // another page came while the key was made
    this.#inDanger(true);
    this.#part("save").href = this.#made.address;
    this.#part("saved").hidden = true;
    this.#part("unsaved").hidden = false;
    this.#show("made");
    this.#say(this.#word("made"));
    this.#look();
    this.#part("save").focus();
  }

  #failed(trouble) {
    this.#show("ask");
    const cannot = trouble.name === "NotSupportedError";
    this.#complain("kind", cannot ? this.#word("cannot") : this.#word("failed", { reason: trouble.message || trouble.name }));
    this.#say("");
    this.#part("kind").focus();
  }

  #saved() {
    const first = !this.#made.saved;
    this.#made.saved = true;
    this.#inDanger(false);
    this.#part("saved").hidden = false;
    this.#part("unsaved").hidden = true;
    this.#say(this.#word(first ? "saved" : "saved-again"));
    this.#look();
  }

  #again() {
    if ("unsaved" in this.#panel.dataset && !confirm(this.#word("leaving"))) return;
    this.#forget();
    this.#show("ask");
    this.#say("");
    this.#look();
    this.#part("kind").focus();
  }

  #forget() {
    if (this.#made) URL.revokeObjectURL(this.#made.address);
    this.#inDanger(false);
    this.#part("save").removeAttribute("href");
    this.#made = null;
    this.#clearPasswords();
  }

  /** While a key is in danger, leaving asks: the browser here, and behaviour/leaving.js where no browser would. */
  #inDanger(is) {
    if (is) {
      this.#panel.dataset.unsaved = this.#word("leaving");
      this.#panel.dataset.staysAt = location.href.split("#")[0];
      window.addEventListener("beforeunload", this.#asking);
    } else {
      delete this.#panel.dataset.unsaved;
      window.removeEventListener("beforeunload", this.#asking);
    }
  }

  /** Whether the passwords will do; what is wrong with them stands beside them, and the first fault has the focus. */
  #accept() {
    const [password, repeated] = [this.#part("password"), this.#part("repeated")];
    const length = lengthOf(password.value);
    let wrong = "";
    if (!length) wrong = this.#word("no-password");
    else if (length < LEAST) wrong = this.#word("too-short", { count: length, least: LEAST });
    else if (length > MOST) wrong = this.#word("too-long", { count: length, most: MOST });
    const differs = !wrong && password.value !== repeated.value ? this.#word("differs") : "";
    this.#complain("kind", "");
    this.#complain("password", wrong);
    this.#complain("repeated", differs);
    if (wrong) password.focus();
    else if (differs) repeated.focus();
    return !wrong && !differs;
  }

  #complain(name, words) {
    const [control, note] = [this.#part(name), this.#part(`${name}-error`)];
    note.querySelector("[data-said]").textContent = words;
    note.hidden = !words;
    // a description that is hidden would be read all the same, so it is taken off
    const others = (control.getAttribute("aria-describedby") ?? "").split(" ").filter((id) => id && id !== note.id);
    control.setAttribute("aria-describedby", [...(words ? [note.id] : []), ...others].join(" "));
    if (words) control.setAttribute("aria-invalid", "true");
    else control.removeAttribute("aria-invalid");
  }

  #tellStrength() {
    const password = this.#part("password").value;
    const length = lengthOf(password);
    const words = length ? [this.#word(strengthOf(password), { count: length, least: LEAST })] : [];
    if (/[^ -~]/.test(password)) words.push(this.#word("unusual"));
    this.#part("strength").textContent = words.join(" ");
  }

  #showPasswords(shown) {
    this.#part("show").checked = shown;
    for (const name of PASSWORDS) this.#part(name).type = shown ? "text" : "password";
  }

  #clearPasswords() {
    for (const name of PASSWORDS) this.#part(name).value = "";
    this.#part("strength").textContent = "";
    this.#showPasswords(false);
  }

  #show(name) {
    for (const part of PARTS) this.#part(part).hidden = part !== name;
  }

  #say(words) {
    this.#part("status").textContent = words;
  }

  #part(name) {
    return this.#panel.querySelector(`[data-part="${name}"]`);
  }

  #word(name, facts = {}) {
    const words = this.#panel.querySelector("template").content.querySelector(`[data-word="${name}"]`).textContent;
    return Object.entries(facts).reduce((text, [fact, value]) => text.replace(`{${fact}}`, value), words);
  }
}
