/* SPDX-License-Identifier: MIT OR GPL-2.0 */
/* How much memory the process may have. */
#ifndef GCH_MACHINE_H
#define GCH_MACHINE_H

#include "heap.h"

__u64 gch_memory_bytes(void);

#endif /* GCH_MACHINE_H */
