/* SPDX-License-Identifier: GPL-2.0 */
/* What libholder.so has to offer. */
#ifndef GCHEAP_TEST_LIBHOLDER_H
#define GCHEAP_TEST_LIBHOLDER_H

/* Too much for the surplus that glibc keeps for libraries loaded later */
#define HOLDER_WORDS	4096

extern void *volatile holder_data;
extern void *volatile holder_bss[HOLDER_WORDS];

/* In the calling thread */
void *volatile *holder_tls_word(void);

#endif /* GCHEAP_TEST_LIBHOLDER_H */
