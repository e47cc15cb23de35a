// Where in a text of JSON is a value, and what stands around a place in it? The text may be unfinished: it is being written.

const TOKEN = /"(?:[^"\\\n]|\\.)*"?|[{}[\],:]|[^\s{}[\],:"]+/g;

const unquoted = (word) => (word.startsWith('"') ? word.slice(1).replace(/"$/, "") : word);
const isOpen = (word) => word.startsWith('"') && !/^"(?:[^"\\\n]|\\.)*"$/.test(word);

/** Takes one token into account; `stack` has the objects and lists that are open, the innermost last. */
function take(stack, word) {
  const top = stack.at(-1);
  if (word === "{" || word === "[") {
    const isList = word === "[";
    if (top) top.expects = "comma";
    stack.push({ isList, key: isList ? 0 : null, expects: isList ? "value" : "key", keys: new Set(), values: new Map() });
  } else if (word === "}" || word === "]") stack.pop();
  else if (!top) return;
  else if (word === ",") {
    top.expects = top.isList ? "value" : "key";
    top.key = top.isList ? top.key + 1 : null;
  } else if (word === ":") top.expects = "value";
  else if (top.expects === "key") {
    top.key = unquoted(word);
    top.keys.add(top.key);
    top.expects = "colon";
  } else {
    top.values.set(top.key, unquoted(word));
    top.expects = "comma";
  }
}

/**
 * What stands around a place: `path` of `{frame, key}` from the outermost container to the innermost, what is `expects`ed ("key" or "value"),
 * the `word` that is begun there, and the range of the text that a completed word stands for.
 */
export function contextAt(text, at) {
  const stack = [];
  let context = null;
  const seen = (word, from, to) => ({ path: stack.map((frame) => ({ frame, key: frame.key })), expects: stack.at(-1)?.expects ?? "value", word, from, to });
  for (const found of text.matchAll(TOKEN)) {
    const [word] = found;
    const [from, to] = [found.index, found.index + word.length];
    if (!context && from >= at) context = seen("", at, at);
    const isInside = from < at && (at < to || (at === to && (isOpen(word) || !/["{}[\],:]/.test(word[0]))));
    // A string without its end takes in what stands behind it, which is no part of the word.
    const end = /^[\w-]*"?$/.test(text.slice(at, to)) ? to : at;
    if (!context && isInside) context = seen(text.slice(from, at).replace(/^"/, ""), from, end);
    take(stack, word);
  }
  return context ?? seen("", at, at);
}

/** Where a JSON pointer is in the text, as far as it can be followed: `{from, to}` of its value, the first line of it where that has several. */
export function placeOf(text, pointer) {
  const wanted = pointer.replace(/^#\/?/, "").split("/").filter(Boolean).map((key) => key.replaceAll("~1", "/").replaceAll("~0", "~"));
  const stack = [];
  let best = { depth: -1, from: text.search(/\S/) };
  for (const found of text.matchAll(TOKEN)) {
    const [word] = found;
    const isValue = !/^[}\],:]$/.test(word) && (stack.at(-1)?.expects ?? "value") === "value";
    const isOnTheWay = stack.length <= wanted.length && stack.every((frame, depth) => String(frame.key) === wanted[depth]);
    if (isValue && isOnTheWay && stack.length > best.depth) best = { depth: stack.length, from: found.index, word };
    take(stack, word);
  }
  const from = Math.max(0, best.from);
  const line = text.indexOf("\n", from);
  const end = line < 0 ? text.length : line;
  return { from, to: best.word && !"{[".includes(best.word) ? Math.min(end, from + best.word.length) : end };
}

/** The names that a document has so far: of its inputs, and of its blocks. */
export function namesIn(text) {
  const stack = [];
  const [inputs, blocks] = [new Set(), new Set()];
  for (const [word] of text.matchAll(TOKEN)) {
    take(stack, word);
    const top = stack.at(-1);
    if (stack.length === 2 && stack[0].key === "inputs" && top.expects === "colon") inputs.add(top.key);
    if (top?.key === "name" && top.expects === "comma") blocks.add(top.values.get("name"));
  }
  return { inputs: [...inputs], blocks: [...blocks].filter(Boolean) };
}
