/** Messages to several participants under way: which have not answered yet, and what the others said. */

interface Broadcast<Answer> {
  readonly open: Set<number>;
  readonly answers: Answer[];
  readonly complete: (answers: readonly Answer[]) => void;
}

export class Broadcasts<Answer> {
  readonly #underWay = new Map<number, Broadcast<Answer>>();
  #lastId = 0;

  /**
   * Resolves when every participant has answered or is gone; at once when there are none.
   *
   * @param send sends the message; `id` tells its answers from those to other messages
   * @returns the answers; a participant that was gone before it answered has none
   */
  gather(participants: readonly number[], send: (id: number) => void): Promise<readonly Answer[]> {
    const id = ++this.#lastId;
    return new Promise((complete) => {
      const broadcast: Broadcast<Answer> = { open: new Set(participants), answers: [], complete };
      this.#underWay.set(id, broadcast);
      send(id);
      this.#settle(id, broadcast);
    });
  }

  answered(participant: number, id: number, answer: Answer): void {
    const broadcast = this.#underWay.get(id);
    if (broadcast?.open.delete(participant) !== true) return;
    broadcast.answers.push(answer);
    this.#settle(id, broadcast);
  }

  /** Nothing is expected of the participant any more: it is gone, or one message of it answers everything. */
  release(participant: number): void {
    for (const [id, broadcast] of this.#underWay) {
      if (broadcast.open.delete(participant)) this.#settle(id, broadcast);
    }
  }

  #settle(id: number, broadcast: Broadcast<Answer>): void {
    if (broadcast.open.size > 0) return;
    this.#underWay.delete(id);
    broadcast.complete(broadcast.answers);
  }
}
