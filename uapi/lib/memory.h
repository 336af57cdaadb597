/* SPDX-License-Identifier: MIT OR GPL-2.0 */
/* Memory of the library's own, which is no root. */
#ifndef GCH_MEMORY_H
#define GCH_MEMORY_H

#include <stddef.h>

void *gch_map(size_t size);
void *gch_map_own(size_t size);
void gch_unmap(void *memory, size_t size);

#endif /* GCH_MEMORY_H */
