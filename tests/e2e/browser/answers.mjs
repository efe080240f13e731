// Reads recorded answers of the registry as the page does, by its own types:
//   node answers.mjs <the page's answers.js> <the page's settings.js> <recorded.json>
// Fails where an answer is not as a type says, and where a type has a member that no answer has.
import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const [answersFile, settingsFile, recordedFile] = process.argv.slice(2);
const answers = await import(pathToFileURL(answersFile).href);
const { parseSettings } = await import(pathToFileURL(settingsFile).href);
const recorded = JSON.parse(readFileSync(recordedFile, "utf8"));

const faults = [];
/** Of the members that a type has: whether any answer had them. */
const seen = new Map();

function compare(read, told, at) {
  if (Array.isArray(read)) {
    read.forEach((each, index) => compare(each, told?.[index], `${at}[]`));
  } else if (typeof read === "object" && read !== null) {
    for (const [name, value] of Object.entries(read)) {
      const path = `${at}.${name}`;
      const isTold = typeof told === "object" && told !== null && name in told;
      seen.set(path, (seen.get(path) ?? false) || isTold);
      compare(value, isTold ? told[name] : undefined, path);
    }
  }
}

for (const { shape, answer } of recorded) {
  const read = shape === "settings" ? parseSettings : answers[shape];
  if (read === undefined) {
    faults.push(`${shape}: the page has no such type`);
    continue;
  }
  try {
    compare(read(answer, shape), answer, shape);
  } catch (error) {
    faults.push(`${shape}: ${error.message}`);
  }
}
for (const [path, isTold] of seen) {
  if (!isTold) {
    faults.push(`${path}: no answer has it`);
  }
}
const untold = Object.keys(answers).filter((name) => !recorded.some(({ shape }) => shape === name));
for (const name of untold) {
  faults.push(`${name}: nothing was recorded of it`);
}
console.log(JSON.stringify(faults));
