/* SPDX-License-Identifier: MIT OR GPL-2.0 */
/* The process's one lock, which a child of fork() finds open. */
#ifndef GCH_LOCK_H
#define GCH_LOCK_H

int gch_lock_init(void);
void gch_lock(void);
void gch_unlock(void);

#endif /* GCH_LOCK_H */
