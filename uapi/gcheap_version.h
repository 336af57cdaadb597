/* SPDX-License-Identifier: MIT OR GPL-2.0 */
/*
 * Which version of gcheap this is: of the module, the library and all that is made of
 * them.  It is told here and nowhere else.
 *
 * It says nothing of whether a library and a module fit: GCHEAP_ABI_VERSION does.
 */
#ifndef GCHEAP_VERSION_H
#define GCHEAP_VERSION_H

#define GCHEAP_VERSION_MAJOR	0
#define GCHEAP_VERSION_MINOR	1
#define GCHEAP_VERSION_PATCH	0

/* What is to be compared in #if: GCHEAP_VERSION >= GCHEAP_VERSION_OF(0, 2, 0) */
#define GCHEAP_VERSION_OF(major, minor, patch) \
	((major) * 1000000 + (minor) * 1000 + (patch))
#define GCHEAP_VERSION \
	GCHEAP_VERSION_OF(GCHEAP_VERSION_MAJOR, GCHEAP_VERSION_MINOR, GCHEAP_VERSION_PATCH)

#define GCHEAP_VERSION_TEXT(number)	#number
#define GCHEAP_VERSION_JOIN(major, minor, patch) \
	GCHEAP_VERSION_TEXT(major) "." GCHEAP_VERSION_TEXT(minor) "." GCHEAP_VERSION_TEXT(patch)
/* "0.1.0" */
#define GCHEAP_VERSION_STRING \
	GCHEAP_VERSION_JOIN(GCHEAP_VERSION_MAJOR, GCHEAP_VERSION_MINOR, GCHEAP_VERSION_PATCH)

#endif /* GCHEAP_VERSION_H */
