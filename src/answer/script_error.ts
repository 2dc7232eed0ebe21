/** What a script or handler did that cannot be carried out; its words are for its author, and name the place and the fix. */
export class ScriptError extends Error {
  override name = "ScriptError";
}
