// Text as roff, in the macros of man(7): what must be escaped, and the few macros that we need.

/** Words of a paragraph. A line that begins with a dot or a quote would be a request. */
export function text(words: string): string {
  return words
    .replace(/\\/g, "\\e")
    .replace(/-/g, "\\-")
    .replace(/~/g, "\\(ti")
    .replace(/'/g, "\\(aq")
    .replace(/…/g, "\\&...")
    .replace(/^(?=\.)/gm, "\\&");
}

const COLUMNS = 78;

/** The same in lines of a usual length; what breaks a line anew does not care. */
export function wrapped(roff: string): string {
  const lines: string[] = [];
  for (const word of roff.split(" ")) {
    const last = lines.at(-1);
    // A dot or a quote that begins a line would be a request.
    const isRequest = /^[.']/.test(word);
    if (last !== undefined && (isRequest || last.length + word.length < COLUMNS)) {
      lines[lines.length - 1] = `${last} ${word}`;
    } else {
      lines.push(word);
    }
  }
  return lines.join("\n");
}

export const bold = (words: string) => `\\fB${text(words)}\\fR`;
export const italic = (words: string) => `\\fI${text(words)}\\fR`;

const quoted = (words: string) => `"${text(words).replaceAll('"', "\\(dq")}"`;

export const section = (title: string) => `.SH ${quoted(title.toUpperCase())}`;
export const subsection = (title: string) => `.SS ${quoted(title)}`;

/** A paragraph of roff. */
export const paragraph = (roff: string) => `.PP\n${wrapped(roff)}`;

/** A tag, and below it, further in, what it means; both are roff. */
export const entry = (tag: string, meaning: string) => `.TP\n${tag}\n${wrapped(meaning)}`;

/** What is typed, as it stands, and below it what it does. */
export function example(lines: string, meaning: string): string {
  return `.nf\n${text(lines)}\n.fi\n.RS 4\n${wrapped(text(meaning))}\n.RE`;
}
