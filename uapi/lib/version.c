// SPDX-License-Identifier: MIT OR GPL-2.0
/* Which version of the library a program runs with. */
#include "heap.h"

const char *gcheap_version(void)
{
	return GCHEAP_VERSION_STRING;
}
