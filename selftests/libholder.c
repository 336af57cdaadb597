// SPDX-License-Identifier: GPL-2.0
/* A library to be loaded while the program runs, with places for an address. */
#include "libholder.h"

void *volatile holder_data = (void *)&holder_data;
void *volatile holder_bss[HOLDER_WORDS];
static __thread void *volatile holder_tls[HOLDER_WORDS];

void *volatile *holder_tls_word(void)
{
	return &holder_tls[HOLDER_WORDS - 1];
}
