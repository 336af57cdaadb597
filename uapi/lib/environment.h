/* SPDX-License-Identifier: MIT OR GPL-2.0 */
/* GCHEAP_PERCENT, GCHEAP_LIMIT, GCHEAP_SIZE: what the user sets for a program. */
#ifndef GCH_ENVIRONMENT_H
#define GCH_ENVIRONMENT_H

#include "heap.h"

void gch_environment(struct gcheap_options *opts);

#endif /* GCH_ENVIRONMENT_H */
