// Text of shell scripts inside of ours.

/**
 * The template as it stands there, backslashes too; only "\${" and a backtick lose theirs, which
 * TypeScript needs.
 */
export function script({ raw }: TemplateStringsArray): string {
  return raw[0].replace(/\\(?=[$`])/g, "");
}

/** One line of text for a shell's list of candidates. */
export function oneLine(text: string): string {
  return text.replace(/\s+/g, " ");
}
