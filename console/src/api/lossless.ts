/** JSON without floats: a number that is not an integer a float holds exactly becomes its own digits as text. */

const TOKEN = /"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g;
const EXACT_INTEGER = /^-?\d{1,15}$/;

export function parseExact(text: string): unknown {
  return JSON.parse(
    text.replace(TOKEN, (token) => (token[0] === '"' || EXACT_INTEGER.test(token) ? token : `"${token}"`)),
  );
}
