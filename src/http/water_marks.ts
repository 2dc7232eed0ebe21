/** How far the send queue of one side of a stream may grow before the other side is paused. */

/** Above this many unsent bytes the other side is paused; one platform chunk may come on top. */
export const HIGH_WATER_BYTES = 64 * 1024;
/** At or below this many unsent bytes it is resumed. */
export const LOW_WATER_BYTES = 16 * 1024;
