// How hard a password is to guess, in one of four words.  It is an estimate from below: what people make up counts
// less than what a machine draws, and repetition, runs and what everybody takes count next to nothing.

export const LEAST = 12;
export const MOST = 200; // OpenSSL's own prompt takes a few hundred more

const WEAK = 40;
const FAIR = 60; // bits; the rounds of the key file add nineteen
const LETTER = 3; // of a word, roughly: 12.9 bits for a word of the Diceware list
const SIGN = 5;
const CHANGE = 1.5; // from letters to digits, from small to large
const NOTHING_NEW = 1;
const EVERYBODYS = /pass(word|wort|phrase)?|qwert[yz]?(uiop)?|asdf(gh)?(jkl)?|letmein|welcome|admin|secret|iloveyou|changeit/gi;

export const lengthOf = (password) => [...password].length;

export function strengthOf(password) {
  if (lengthOf(password) < LEAST) return "short";
  const bits = guessing(password);
  if (bits < WEAK) return "weak";
  return bits < FAIR ? "fair" : "strong";
}

function guessing(password) {
  const once = password.match(/^(.+?)\1*$/su)[1]; // "abcabcabc" is no better than "abc"
  const signs = [...once.replace(EVERYBODYS, "a")];
  let bits = 0;
  signs.forEach((sign, index) => {
    const before = signs[index - 1];
    const step = before === undefined ? Infinity : Math.abs(sign.codePointAt(0) - before.codePointAt(0));
    bits += step <= 1 ? NOTHING_NEW : /[\p{L}\p{N}]/u.test(sign) ? LETTER : SIGN;
    if (before !== undefined && classOf(sign) !== classOf(before)) bits += CHANGE;
  });
  return bits;
}

const classOf = (sign) => [/\p{Lu}/u, /\p{L}/u, /\p{N}/u].findIndex((kind) => kind.test(sign));
