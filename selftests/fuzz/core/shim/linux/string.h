/* SPDX-License-Identifier: GPL-2.0 */
#ifndef GCHEAP_FUZZ_STRING_H
#define GCHEAP_FUZZ_STRING_H

#include <string.h>

void *memchr_inv(const void *memory, int c, size_t bytes);

#endif /* GCHEAP_FUZZ_STRING_H */
