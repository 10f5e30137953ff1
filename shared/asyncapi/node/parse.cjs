// What AsyncAPI's parser says of documents: a JSON array of texts comes in, a JSON array of findings goes out.
const { createRequire } = require("node:module");
const { readFileSync } = require("node:fs");
const installed = createRequire(`${process.argv[2]}/`);
const { Parser } = installed("@asyncapi/parser");
const { parse } = installed("@stoplight/yaml"); // with which the parser reads YAML

const ERROR = 0;

async function found(text) {
  const { document, diagnostics } = await new Parser().parse(text);
  const problems = diagnostics
    .filter(({ severity }) => severity === ERROR)
    .map(({ code, message, path }) => ({ code, message, path: path.join("/") }));
  return { valid: document !== undefined, problems, read: parse(text) };
}

(async () => {
  const texts = JSON.parse(readFileSync(0, "utf8"));
  const findings = [];
  for (const text of texts) findings.push(await found(text));
  process.stdout.write(JSON.stringify(findings));
})();
