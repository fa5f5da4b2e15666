// Ids as people compare them.

const SHORT_CHARS = 10;

/** @param {string} id */
export const short = (id) => `${id.slice(0, SHORT_CHARS)}…`;
