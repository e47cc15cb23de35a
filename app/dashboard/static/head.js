// What stands at the beginning of a table's file? Its columns and first rows, so that somebody can say what they are before it is sent.

const HEAD_BYTES = 65_536;
const ROWS = 4;

/** The columns and first rows of a file, or null where a browser cannot look into it. */
export async function headOf(file, kind, packed) {
  if (kind === "parquet" || packed === "zst") return null;
  try {
    const text = await headText(file, packed);
    return kind === "csv" ? csvHead(text) : jsonHead(text);
  } catch {
    return null;
  }
}

async function headText(file, packed) {
  const part = file.slice(0, HEAD_BYTES);
  if (packed !== "gz") return part.text();
  const reader = part.stream().pipeThrough(new DecompressionStream("gzip")).getReader();
  const decoder = new TextDecoder();
  let text = "";
  try {
    while (text.length < HEAD_BYTES) {
      const { value, done } = await reader.read();
      if (done) break;
      text += decoder.decode(value, { stream: true });
    }
  } catch (error) {
    if (!text) throw error; // the slice ends in the middle of the stream, after what is needed
  }
  return text;
}

function csvHead(text) {
  const first = text.replace(/^\uFEFF/, "").split(/\r?\n/, ROWS + 1);
  const delimiter = [",", ";", "\t", "|"].map((one) => [one, first[0].split(one).length]).sort((a, b) => b[1] - a[1])[0][0];
  const [columns, ...rows] = first.filter((line) => line.trim()).map((line) => fields(line, delimiter));
  return columns?.length > 1 ? { columns, rows } : null;
}

function fields(line, delimiter) {
  const found = [""];
  let isQuoted = false;
  for (const letter of line) {
    if (letter === '"') isQuoted = !isQuoted;
    else if (letter === delimiter && !isQuoted) found.push("");
    else found[found.length - 1] += letter;
  }
  return found.map((one) => one.trim());
}

function jsonHead(text) {
  const rows = [];
  for (const [found] of text.matchAll(/\{[^{}]*\}/g)) {
    rows.push(JSON.parse(found));
    if (rows.length === ROWS) break;
  }
  const columns = [...new Set(rows.flatMap((row) => Object.keys(row)))];
  return columns.length ? { columns, rows: rows.map((row) => columns.map((name) => row[name] ?? null)) } : null;
}
