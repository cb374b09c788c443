// Writes src/api/schema.d.ts, or the file named, from the OpenAPI document on standard input.
// Decimals never become floats.
import { writeFileSync } from "node:fs";
import openapiTS, { astToString } from "openapi-typescript";
import ts from "typescript";

const DECIMAL = ts.factory.createTypeReferenceNode("Decimal");
const NULL = ts.factory.createLiteralTypeNode(ts.factory.createNull());
const HEAD = `// Made from the service's OpenAPI document by \`make console\`: do not edit.

/** A JSON number, digit for digit: text unless it is an integer that a float holds exactly. */
export type Decimal = string | number;
`;

const chunks = [];
for await (const chunk of process.stdin) chunks.push(chunk);
const text = Buffer.concat(chunks).toString("utf8");
const nodes = await openapiTS(JSON.parse(text), {
  alphabetize: true,
  // A body need not have what has a default.
  defaultNonNullable: false,
  transform: (schema) => {
    if (schema.type === "number") return DECIMAL;
    if (Array.isArray(schema.type) && schema.type.includes("number")) {
      return ts.factory.createUnionTypeNode([DECIMAL, NULL]);
    }
    return undefined;
  },
});
const target = process.argv[2] ?? new URL("../src/api/schema.d.ts", import.meta.url);
writeFileSync(target, HEAD + astToString(nodes));
