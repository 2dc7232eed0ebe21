/** Who keeps members by looking: what holds of a member is asked when it is met, and told when it holds again. */

/** Something that leaves members out with `member.exclude(this)`; see candidate_list.ts. */
export interface Listing<Member> {
  /** Whether it is true of `member`; depends on nothing but what the member tells about. */
  holds(member: Member): boolean;
  /** It is true of `member` again, which was left out before. Must change no member. */
  readmit(member: Member): void;
}
