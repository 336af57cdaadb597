// SPDX-License-Identifier: MIT OR GPL-2.0
/*
 * Programs that keep a program's pointers elsewhere than on its threads' stacks and
 * in their registers: AddressSanitizer puts local variables into memory of its own,
 * when it looks for those that are used after their function has returned; under
 * Valgrind the registers are variables, and the stack that the kernel sees is
 * Valgrind's.  A heap of such a program has to have all memory searched.
 */
#include <stdint.h>

#include "checker.h"

#pragma weak __asan_get_current_fake_stack

static bool has_fake_stack(void)
{
	return __asan_get_current_fake_stack && __asan_get_current_fake_stack();
}

/*
 * Valgrind's way to be asked: a sequence that does nothing elsewhere.  The question
 * is the first word at rax, and the answer is in rdx.
 */
static bool is_on_valgrind(void)
{
#ifdef __x86_64__
	static const uint64_t running_on_valgrind[6] = { 0x1001 };
	uint64_t answer = 0;

	__asm__ __volatile__("rolq $3, %%rdi\n\t"
			     "rolq $13, %%rdi\n\t"
			     "rolq $61, %%rdi\n\t"
			     "rolq $51, %%rdi\n\t"
			     "xchgq %%rbx, %%rbx"
			     : "+d" (answer)
			     : "a" (running_on_valgrind)
			     : "cc", "memory");
	return answer;
#else
	return false;
#endif
}

/**
 * gch_is_checked() - whether the program's pointers may be anywhere
 *
 * Return: true when they may.
 */
bool gch_is_checked(void)
{
	return has_fake_stack() || is_on_valgrind();
}
