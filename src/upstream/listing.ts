/**
 * A list of the members that meet a condition. The list asks for the condition when it comes across a member; a member that
 * was excluded tells when it meets the condition again.
 */

/** Excludes members with `member.exclude(this)`; see candidate_list.ts. */
export interface Listing<Member> {
  /** Whether `member` meets the condition. May depend only on what the member tells changes of. */
  holds(member: Member): boolean;
  /** `member`, which was excluded, meets the condition again. Must change no member. */
  readmit(member: Member): void;
}
