/* SPDX-License-Identifier: MIT OR GPL-2.0 */
/* Programs that keep a program's pointers elsewhere. */
#ifndef GCH_CHECKER_H
#define GCH_CHECKER_H

#include <stdbool.h>

bool gch_is_checked(void);

/* AddressSanitizer's, if it is in the program; NULL when it does not do that. */
#pragma GCC visibility push(default)
void *__asan_get_current_fake_stack(void);
#pragma GCC visibility pop

#endif /* GCH_CHECKER_H */
