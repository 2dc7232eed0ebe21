/** What a script did that cannot be carried out; its words are for the script's author, and name the place and the fix. */
export class ScriptError extends Error {
  override name = "ScriptError";
}
