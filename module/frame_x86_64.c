// SPDX-License-Identifier: GPL-2.0
/*
 * Signal frames of 64-bit programs on x86-64.
 *
 * The vector state lies on top, as xsave writes it; the 48 bytes in its midst that
 * the processor leaves to software begin with a magic number, without which sigreturn
 * takes no vector state from there.  Right below are siginfo and ucontext, so the one
 * tells where the other is.
 *
 * Owns nothing and waits for nothing.
 */
#include <linux/bitops.h>
#include <linux/kernel.h>
#include <linux/sched.h>
#include <linux/signal.h>

#include <asm/sigframe.h>
#include <asm/ucontext.h>
#include <uapi/asm/sigcontext.h>

#include "frame.h"
#include "regs.h"

/* Where struct _fpx_sw_bytes is */
#define MAGIC_AT	offsetof(struct _fpstate_64, sw_reserved)

/* After the vector state there is a second magic number. */
#define STATE_TAIL	sizeof(u32)

/* Between stack pointer, state and the rest: alignment */
#define PADDING		128UL

static_assert(MAGIC_AT % sizeof(long) == 0);

/* No more than a thread has in registers */
static size_t state_room(void)
{
	return gc_regs_words() * sizeof(long) + STATE_TAIL;
}

/**
 * gc_frame_room() - the largest frame
 *
 * Return: bytes that it may take of the stack, padding included.
 */
size_t gc_frame_room(void)
{
	return state_room() + sizeof(struct rt_sigframe) + PADDING;
}

/**
 * gc_frames_note() - look for frames
 * @found: bit n will be set for a frame whose magic number is in the FRAME_ALIGN
 *	bytes with this number
 * @offset: of @words from what @found begins with
 * @words: words of a stack
 * @nr: their number
 *
 * Context: does not sleep.
 */
void gc_frames_note(unsigned long *found, size_t offset,
		    const unsigned long *words, size_t nr)
{
	size_t at = offset + (MAGIC_AT - offset) % FRAME_ALIGN;

	for (; at < offset + nr * sizeof(long); at += FRAME_ALIGN) {
		u32 word = READ_ONCE(words[(at - offset) / sizeof(long)]);

		if (word == FP_XSTATE_MAGIC1)
			__set_bit(at / FRAME_ALIGN, found);
	}
}

static unsigned long state_of(unsigned long magic)
{
	return magic - round_down(MAGIC_AT, FRAME_ALIGN);
}

static unsigned long frame_of(unsigned long magic)
{
	return round_down(state_of(magic) - sizeof(struct rt_sigframe), 16) - 8;
}

/**
 * gc_frame_span() - where a frame is
 * @magic: address for which gc_frames_note() has set a bit
 *
 * Return: range that the frame is in.
 */
struct gc_span gc_frame_span(unsigned long magic)
{
	return (struct gc_span) {
		frame_of(magic), state_of(magic) + state_room(),
	};
}

/**
 * gc_frame_sp() - where a frame has the stack pointer of what was interrupted
 * @magic: address for which gc_frames_note() has set a bit
 *
 * Return: address of the word.
 */
unsigned long gc_frame_sp(unsigned long magic)
{
	return frame_of(magic) +
	       offsetof(struct rt_sigframe, uc.uc_mcontext.sp);
}
