// SPDX-License-Identifier: MIT OR GPL-2.0
/*
 * Frames of functions that returned: see dead.h.
 *
 * In assembler, as a compiler's frame may have a gap at its top, and what it is told to add
 * to each function would use the caller's frame, or the register that the object is in.
 */
#include "dead.h"

#define STRING_(x)	#x
#define STRING(x)	STRING_(x)

/* For whoever's code model calls by a register */
#if defined(__CET__) && __CET__ & 1
#define LANDING		"endbr64\n\t"
#else
#define LANDING
#endif

__asm__(".pushsection .text\n\t"
	".globl gch_dead_stack\n\t"
	".hidden gch_dead_stack\n\t"
	".type gch_dead_stack, @function\n"
	"gch_dead_stack:\n\t"
	".cfi_startproc\n\t"
	LANDING
	"mov %rdi, %rax\n\t"
	"pxor %xmm0, %xmm0\n\t"
	"mov %rsp, %rdx\n\t"
	"sub $" STRING(GCH_DEAD_STACK) ", %rsp\n\t"
	".cfi_adjust_cfa_offset " STRING(GCH_DEAD_STACK) "\n\t"
	"mov %rsp, %rcx\n"
	"1:\n\t"
	"movups %xmm0, (%rcx)\n\t"
	"movups %xmm0, 16(%rcx)\n\t"
	"movups %xmm0, 32(%rcx)\n\t"
	"movups %xmm0, 48(%rcx)\n\t"
	"add $64, %rcx\n\t"
	"cmp %rdx, %rcx\n\t"
	"jne 1b\n\t"
	"mov %rdx, %rsp\n\t"
	".cfi_adjust_cfa_offset -" STRING(GCH_DEAD_STACK) "\n\t"
	"ret\n\t"
	".cfi_endproc\n\t"
	".size gch_dead_stack, . - gch_dead_stack\n\t"
	".popsection");
