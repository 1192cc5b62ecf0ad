// Text files of the reader's machine; they are read in the page and go nowhere by themselves.

/** The text of a file. Throws an Error that says why it has none, or more than `limit` characters. */
export async function readText(file, limit) {
  const tooLong = new Error(`${file.name} is too long: a text has at most ${limit.toLocaleString("en")} characters`);
  // A code point has up to four bytes in UTF-8; a mark of byte order has three.
  if (file.size > 4 * limit + 3) throw tooLong;
  const bytes = await file.arrayBuffer().catch(() => {
    throw new Error(`${file.name} cannot be read`);
  });
  const text = decoded(bytes);
  if (text === null) throw new Error(`${file.name} is no text in UTF-8`);
  if (!text.trim()) throw new Error(`${file.name} is empty`);
  if ([...text].length > limit) throw tooLong;
  // As a text field has them, so that places are the same when it is edited.
  return text.replace(/\r\n?/g, "\n");
}

/** Bytes as text; null where they are none. */
function decoded(bytes) {
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    return text.includes("\0") ? null : text;
  } catch {
    return null;
  }
}
