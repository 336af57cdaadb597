/* SPDX-License-Identifier: MIT OR GPL-2.0 */
/*
 * What calls leave behind that nobody needs, but that the collector would believe.
 *
 * A register that a call need not keep holds what it last held until somebody uses it; a
 * loop that allocates may never do so.  A function that returned leaves its frame, with
 * the registers of its callers that it had to keep, and a later one may have a variable
 * there that is only partly written (as sigprocmask(2) writes 8 of a sigset_t's 128
 * bytes).  One such word can keep a list of any length.
 */
#ifndef GCH_DEAD_H
#define GCH_DEAD_H

/* More than the library's functions use on the way to the kernel and back, unless they print */
#define GCH_DEAD_STACK	1024

/**
 * gch_dead_vectors() - make the vector registers zero
 *
 * To be called on the way to the kernel, which may collect.  No vector register lives through
 * a call in the ABI.  Those beyond SSE's are let be, as they need other instructions on each
 * processor: memcpy() uses some of them where there is AVX-512, and may use them next.
 */
static inline void gch_dead_vectors(void)
{
	__asm__ __volatile__("pxor %%xmm0, %%xmm0\n\tpxor %%xmm1, %%xmm1\n\t"
			     "pxor %%xmm2, %%xmm2\n\tpxor %%xmm3, %%xmm3\n\t"
			     "pxor %%xmm4, %%xmm4\n\tpxor %%xmm5, %%xmm5\n\t"
			     "pxor %%xmm6, %%xmm6\n\tpxor %%xmm7, %%xmm7\n\t"
			     "pxor %%xmm8, %%xmm8\n\tpxor %%xmm9, %%xmm9\n\t"
			     "pxor %%xmm10, %%xmm10\n\tpxor %%xmm11, %%xmm11\n\t"
			     "pxor %%xmm12, %%xmm12\n\tpxor %%xmm13, %%xmm13\n\t"
			     "pxor %%xmm14, %%xmm14\n\tpxor %%xmm15, %%xmm15"
			     : : : "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6",
			       "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13",
			       "xmm14", "xmm15");
}

/**
 * gch_dead_stack() - make the frames zero that functions had which returned
 * @object: object
 *
 * To be the last call of a function that keeps no register of its callers: then there are
 * none in its own frame either.
 *
 * Return: @object, which is in no memory meanwhile.
 */
void *gch_dead_stack(void *object);

#endif /* GCH_DEAD_H */
