/* SPDX-License-Identifier: MIT OR GPL-2.0 */
/* Lines for the user: on stderr, or where GCHEAP_TRACE says. */
#ifndef GCH_SAY_H
#define GCH_SAY_H

void gch_say(int fd, const char *line, int length);

#endif /* GCH_SAY_H */
