/* SPDX-License-Identifier: GPL-2.0 */
/* Made by scripts/gen_size_classes.py: change that, not this. */
#ifndef GCHEAP_SIZE_CLASS_TABLE_H
#define GCHEAP_SIZE_CLASS_TABLE_H

#define SIZE_CLASS_COUNT	61
#define SIZE_CLASS_MAX		32768

/* object size, pages of a slab, slots, multiplier for the division */
#define SIZE_CLASS_TABLE(X)	\
	X(8, 2, 1024, 0x20000001U)	\
	X(16, 2, 512, 0x10000001U)	\
	X(32, 2, 256, 0x8000001U)	\
	X(48, 2, 170, 0x5555556U)	\
	X(64, 2, 128, 0x4000001U)	\
	X(80, 2, 102, 0x3333334U)	\
	X(96, 2, 85, 0x2aaaaabU)	\
	X(112, 2, 73, 0x2492493U)	\
	X(128, 2, 64, 0x2000001U)	\
	X(144, 2, 56, 0x1c71c72U)	\
	X(160, 2, 51, 0x199999aU)	\
	X(176, 2, 46, 0x1745d18U)	\
	X(192, 2, 42, 0x1555556U)	\
	X(208, 2, 39, 0x13b13b2U)	\
	X(224, 2, 36, 0x124924aU)	\
	X(240, 2, 34, 0x1111112U)	\
	X(256, 2, 32, 0x1000001U)	\
	X(288, 2, 28, 0xe38e39U)	\
	X(320, 2, 25, 0xcccccdU)	\
	X(352, 2, 23, 0xba2e8cU)	\
	X(384, 2, 21, 0xaaaaabU)	\
	X(432, 3, 28, 0x97b426U)	\
	X(480, 2, 17, 0x888889U)	\
	X(528, 3, 23, 0x7c1f08U)	\
	X(592, 4, 27, 0x6eb3e5U)	\
	X(656, 5, 31, 0x63e707U)	\
	X(736, 4, 22, 0x590b22U)	\
	X(816, 4, 20, 0x505051U)	\
	X(912, 5, 22, 0x47dc12U)	\
	X(1024, 4, 16, 0x400001U)	\
	X(1152, 6, 21, 0x38e38fU)	\
	X(1296, 7, 22, 0x329162U)	\
	X(1456, 8, 22, 0x2d02d1U)	\
	X(1632, 8, 20, 0x282829U)	\
	X(1824, 9, 20, 0x23ee09U)	\
	X(2048, 8, 16, 0x200001U)	\
	X(2304, 9, 16, 0x1c71c8U)	\
	X(2592, 11, 17, 0x1948b1U)	\
	X(2912, 13, 18, 0x168169U)	\
	X(3264, 13, 16, 0x141415U)	\
	X(3664, 11, 12, 0x11e2f0U)	\
	X(4096, 16, 16, 0x100001U)	\
	X(4608, 16, 14, 0xe38e4U)	\
	X(5184, 14, 11, 0xca459U)	\
	X(5824, 16, 11, 0xb40b5U)	\
	X(6544, 16, 10, 0xa03c2U)	\
	X(7360, 11, 6, 0x8e784U)	\
	X(8192, 16, 8, 0x80001U)	\
	X(9216, 16, 7, 0x71c72U)	\
	X(10368, 13, 5, 0x6522dU)	\
	X(11456, 14, 5, 0x5b87eU)	\
	X(12880, 16, 5, 0x51695U)	\
	X(14336, 14, 4, 0x4924aU)	\
	X(16128, 16, 4, 0x41042U)	\
	X(18144, 9, 2, 0x39cacU)	\
	X(20400, 15, 3, 0x3366aU)	\
	X(22528, 11, 2, 0x2e8bbU)	\
	X(24576, 12, 2, 0x2aaabU)	\
	X(26624, 13, 2, 0x27628U)	\
	X(29952, 15, 2, 0x23024U)	\
	X(32768, 16, 2, 0x20001U)

#endif /* GCHEAP_SIZE_CLASS_TABLE_H */
