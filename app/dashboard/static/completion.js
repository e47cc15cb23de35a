// What can stand at a place of a document? What its JSON Schema has there, and the names that the document and the data have.

const UNITS = 32;

/** The schemas that a value may follow, with references and choices resolved; `kind` decides between blocks, heads and decoders. */
function expanded(root, schema, kind) {
  if (schema.$ref) return expanded(root, root.$defs[schema.$ref.split("/").at(-1)], kind);
  const mapping = schema.discriminator?.mapping;
  if (mapping?.[kind]) return expanded(root, { $ref: mapping[kind] }, kind);
  const choices = schema.oneOf ?? schema.anyOf;
  return choices ? choices.flatMap((one) => expanded(root, one, kind)) : [schema];
}

function childrenOf(schema, frame, key) {
  if (frame.isList) return schema.items ? [schema.items] : [];
  const named = schema.properties?.[key];
  if (named) return [named];
  const others = [...Object.values(schema.patternProperties ?? {}), schema.additionalProperties];
  return others.filter((one) => one && typeof one === "object");
}

const isObject = (schema) => schema.type === "object";

/** A first sentence of what a key or a kind means. */
const words = (schema) => (schema.description ?? "").split(/\n|\. /)[0];

/** What a key means: an object's schema says it in the list of its attributes. */
function wordsOf(schema, key) {
  const line = (schema.description ?? "").split("\n").find((one) => one.trim().startsWith(`${key}:`));
  return line ? line.trim().slice(key.length + 2) : "";
}

/** A block of a kind with what it must have. */
function block(root, reference, kind) {
  const [schema] = expanded(root, { $ref: reference });
  const needed = { kind };
  if (schema.required?.includes("units")) needed.units = UNITS;
  return JSON.stringify(needed).replaceAll('":', '": ').replaceAll(",", ", ");
}

function keysAt(schemas, context) {
  const { frame } = context.path.at(-1);
  const isUndecided = schemas.length > 1 && !frame.values.has("kind") && schemas.every((one) => one.properties?.kind);
  const found = new Map();
  for (const schema of schemas.filter(isObject)) {
    for (const key of Object.keys(schema.properties ?? {})) {
      if (isUndecided && key !== "kind") continue;
      if (!found.has(key)) found.set(key, { label: key, insert: `"${key}": `, detail: wordsOf(schema, key), isNeeded: schema.required?.includes(key) });
    }
  }
  return [...found.values()].filter(({ label }) => label === context.word || !frame.keys.has(label)).sort((a, b) => Boolean(b.isNeeded) - Boolean(a.isNeeded));
}

function valuesAt(root, schemas, key, names) {
  const found = [];
  for (const schema of schemas) {
    const mapping = schema.discriminator?.mapping ?? {};
    for (const [kind, reference] of Object.entries(mapping)) found.push({ label: kind, insert: block(root, reference, kind), detail: words(expanded(root, { $ref: reference })[0]) });
    const resolved = schema.discriminator ? [] : expanded(root, schema);
    for (const one of resolved) {
      const values = one.enum ?? (one.const === undefined ? [] : [one.const]);
      for (const value of one.type === "boolean" ? [true, false] : values) {
        found.push({ label: String(value), insert: JSON.stringify(value), detail: value === schema.default ? "the default" : "" });
      }
    }
  }
  for (const name of names(key)) found.push({ label: name, insert: JSON.stringify(name), detail: "" });
  return [...new Map(found.map((one) => [one.label, one])).values()];
}

/** What may stand at a place, the likeliest first; `names(key)` are words that the document has for a key, such as inputs for `from`. */
export function completionsAt(root, context, names) {
  let schemas = [root];
  let key = null;
  for (const { frame, key: at } of context.path) {
    const here = schemas.flatMap((one) => expanded(root, one, frame.values.get("kind")));
    if (frame === context.path.at(-1).frame && context.expects === "key") return matching(keysAt(here, context), context.word);
    schemas = here.flatMap((one) => childrenOf(one, frame, at));
    // The kind of a block that is being written is any of those that may stand there.
    key = frame.isList ? key : at;
  }
  return context.expects === "value" ? matching(valuesAt(root, schemas, key, names).concat(kindsOf(root, context)), context.word) : [];
}

/** The kinds of the object in which a `kind` is being written. */
function kindsOf(root, context) {
  const top = context.path.at(-1);
  if (top?.key !== "kind") return [];
  let schemas = [root];
  for (const { frame, key } of context.path.slice(0, -1)) {
    schemas = schemas.flatMap((one) => expanded(root, one, frame.values.get("kind"))).flatMap((one) => childrenOf(one, frame, key));
  }
  return schemas.flatMap((one) => Object.entries(one.discriminator?.mapping ?? {})).map(([kind, reference]) =>
    ({ label: kind, insert: JSON.stringify(kind), detail: words(expanded(root, { $ref: reference })[0]) }));
}

function matching(found, word) {
  const begun = word.toLowerCase();
  const unique = [...new Map(found.map((one) => [one.label, one])).values()];
  return unique.filter(({ label }) => label.toLowerCase().includes(begun)).sort((a, b) => b.label.toLowerCase().startsWith(begun) - a.label.toLowerCase().startsWith(begun));
}
