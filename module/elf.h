/* SPDX-License-Identifier: GPL-2.0 */
/* What the headers of a process's ELF files tell of its roots. */
#ifndef GCHEAP_ELF_H
#define GCHEAP_ELF_H

#include <linux/types.h>

struct gc_reader;
struct gc_tls;
struct vm_area_struct;

bool gc_elf_starts(const struct vm_area_struct *vma);
void gc_elf_look(struct gc_reader *r, struct gc_tls *tls, unsigned long start);
void gc_elf_look_at_all(struct gc_reader *r, struct gc_tls *tls);

#endif /* GCHEAP_ELF_H */
